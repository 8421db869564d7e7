//! What a wallet does with Gear.exe on Ethereum: deploy, upload code, create programs, talk to them.
//!
//! Command line, demo and tests are built on it. [`Wallet`] signs and sends, [`Deployer`] sets a network up,
//! [`RouterClient`] and [`MirrorClient`] speak to the contracts. Whatever waits looks at every new head until a deadline,
//! reports its stage, and says what to do when time is up.

mod deploy;
mod deposits;
mod error;
mod middleware;
mod mirror;
mod router;
mod token;
mod wait;
mod wallet;

pub use deploy::{Deployer, Deployment, RouterParams, forwarded};
pub use deposits::{Withdrawal, Withdrawn};
pub use error::ClientError;
pub use middleware::{MiddlewareParams, SymbioticAddresses};
pub use mirror::{Approval, Claimed, Mail, MirrorClient, Reply, SentMessage};
pub use router::{CodeState, NewProgram, RouterClient, Upload};
pub use token::{Permit, WrappedVaraClient};
pub use wait::{Heads, LogScan};
pub use wallet::{MAX_GAS, Options, Progress, Submitted, Transaction, Wallet};
