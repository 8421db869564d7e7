//! A typed client of a Gear.exe node, for native messages and their life.
//!
//! A native message is signed with an Ethereum key and handed to any node; nobody sends an Ethereum transaction. [`Signer`]
//! makes it, [`Client::send`] hands it over, [`Client::watch`] tells its life: `waiting`, `executed` by this node,
//! `certified` by more than two thirds of the validators, `finalized` by the chain, `committed` and `settled` on Ethereum; or
//! `superseded`, when Ethereum went back, and `purged`, when it will never be executed. A watch outlives broken connections: it
//! goes on from its [`Cursor`]. [`Client::rounds`] tells the same of all rounds at once. The value of a message comes out of what
//! its signer has deposited at the Router ([`Client::deposit`]).
//!
//! No node has to be believed. [`ValidatorSet::read`] takes the validators from the Router once;
//! [`ValidatorSet::verify`] checks a receipt, its proof and a certificate against them, offline.
//!
//! ```no_run
//! use gear_exe_client::{Client, Signer, Stage, ValidatorSet};
//! use gear_exe_primitives::{H160, batch::RouterDomain, native::{NativeTransaction, SigningForm}};
//!
//! # async fn example(set: ValidatorSet, program: H160, secret: [u8; 32], domain: RouterDomain) -> Result<(), Box<dyn std::error::Error>> {
//! let client = Client::connect("ws://127.0.0.1:9944").await?;
//! let signer = Signer::new(secret, domain)?;
//! let message = NativeTransaction {
//!     destination: program,
//!     payload: b"PING".to_vec(),
//!     value: 0,
//!     reference_block: client.reference(3).await?.hash,
//!     salt: vec![1],
//! };
//! let signed = signer.sign(message, SigningForm::Typed)?;
//! client.send(&signed).await?;
//! let mut life = client.watch(signer.id(&signed)).await?;
//! while let Some(event) = life.next().await {
//!     if let Stage::Certified(Some(certificate)) = event?.stage
//!         && let Some(status) = client.status(life.id()).await?
//!     {
//!         let receipt = set.verify(&status.proof, &certificate)?;
//!         println!("{:?}: {:?}", receipt.code, client.reply(life.id()).await?);
//!         break;
//!     }
//! }
//! # Ok(())
//! # }
//! ```
//!
//! Where it stands: above `primitives` (messages, digests, certificates) and `ethereum` (the Router), beside the node, whose
//! JSON-RPC it speaks (`node/src/rpc/README.md`). Tests and the load generator use it.

mod client;
mod error;
mod round;
mod rounds;
mod signer;
mod status;
mod verify;
mod watch;
mod wire;

pub use client::{Client, Options};
pub use error::Error;
pub use gear_exe_primitives::level::Level;
pub use round::Round;
pub use rounds::{RoundLevel, Rounds};
pub use signer::Signer;
pub use status::{Answer, HeldBatch, Promise, Status};
pub use verify::{ValidatorSet, VerifyError, verify_reply};
pub use watch::{Cursor, Event, Executed, Stage, Watch};
