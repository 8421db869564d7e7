//! Sets a network up on Ethereum: wVARA, Router, Mirror, in the order of `contracts/README.md`.
//!
//! The chain's genesis names the Router, and the Router's initialisation names the chain's genesis hash. The knot is cut by
//! computing the addresses beforehand, from the deployer's nonce: [`Deployer::plan`], then the genesis, then
//! [`Deployer::deploy`].

use super::{ClientError, Transaction, Wallet};
use crate::{
    abi::{ERC1967Proxy, Mirror, Router, WrappedVara},
    artifact::Artifact,
    convert::{address, b256},
};
use alloy::{
    primitives::{Address, Bytes, U256, aliases::U48},
    providers::Provider,
    sol_types::{SolCall, SolConstructor},
};
use gear_exe_primitives::{H256, quorum::Member};

/// Gas limits, since a contract whose predecessors are not mined yet cannot be estimated.
const ROUTER_GAS: u64 = 9_000_000;
const CONTRACT_GAS: u64 = 5_000_000;

/// What a Router starts with.
#[derive(Clone, Debug)]
pub struct RouterParams {
    /// The contract that governance holds. If `None`, a small contract is deployed that passes on what the deployer tells
    /// it ([`forwarded`]): for development only.
    pub owner: Option<Address>,
    /// Symbiotic's network middleware; zero for none.
    pub middleware: Address,
    /// Genesis hash of the chain.
    pub genesis: H256,
    /// The first validator set.
    pub validators: Vec<Member>,
    /// Seconds that a replacement of code waits.
    pub upgrade_delay: u32,
    /// Seconds after which a set that was not renewed may not sign.
    pub max_staleness: u32,
    /// Gas of a call-back.
    pub callback_stipend: u32,
    /// Price of a code's validation, in wVARA base units.
    pub code_fee: u128,
    /// What a validation on behalf of somebody costs besides, in wVARA base units.
    pub code_extra_fee: u128,
    /// Gas that is free.
    pub compute_threshold: u64,
    /// Price of a second of execution, in wVARA base units.
    pub wvara_per_second: u128,
    /// wVARA base units that accounts get.
    pub mint: Vec<(Address, U256)>,
}

impl RouterParams {
    /// For the chain with this genesis and these validators, with the values of a development network.
    pub fn new(genesis: H256, validators: Vec<Member>) -> Self {
        Self {
            owner: None,
            middleware: Address::ZERO,
            genesis,
            validators,
            upgrade_delay: 2 * 24 * 3_600,
            max_staleness: 30 * 24 * 3_600,
            callback_stipend: 500_000,
            code_fee: 1_000 * 10u128.pow(12),
            code_extra_fee: 500 * 10u128.pow(12),
            compute_threshold: 0,
            wvara_per_second: 100 * 10u128.pow(12),
            mint: Vec::new(),
        }
    }
}

/// Where everything is, or will be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Deployment {
    /// The wVARA token (its proxy).
    pub wrapped_vara: Address,
    /// The Router (its proxy).
    pub router: Address,
    /// The code of all Mirrors.
    pub mirror: Address,
    /// The owner contract that is deployed if the parameters name none.
    pub owner: Address,
    /// The deployer's nonce that the addresses follow from.
    pub nonce: u64,
}

impl Deployment {
    /// The addresses that `deployer` gets if its next transaction has `nonce`.
    pub fn of(deployer: Address, nonce: u64) -> Self {
        let at = |step| deployer.create(nonce + step);
        // 0 owner, 1 token's code, 2 token, 3 Router's code, 4 Router, 5 Mirror.
        Self {
            wrapped_vara: at(2),
            router: at(4),
            mirror: at(5),
            owner: at(0),
            nonce,
        }
    }
}

/// Deploys with the key of a wallet.
#[derive(Clone, Debug)]
pub struct Deployer {
    wallet: Wallet,
}

impl Deployer {
    /// Deploys with the key of `wallet`, which becomes the owner of wVARA.
    pub const fn new(wallet: Wallet) -> Self {
        Self { wallet }
    }

    pub(super) const fn wallet(&self) -> &Wallet {
        &self.wallet
    }

    /// The addresses that [`Deployer::deploy`] will create, as long as the key sends nothing else before.
    ///
    /// # Errors
    ///
    /// [`ClientError`] if the node does not answer.
    pub async fn plan(&self) -> Result<Deployment, ClientError> {
        let deployer = self.wallet.address();
        let nonce = self
            .wallet
            .rpc("reading the nonce", |provider| {
                provider.get_transaction_count(deployer).pending()
            })
            .await?;
        Ok(Deployment::of(deployer, nonce))
    }

    /// Deploys and initialises everything, at the addresses of `plan`. All transactions are handed over at once, so that
    /// it takes few blocks.
    ///
    /// # Errors
    ///
    /// [`ClientError::Unexpected`] if the key has sent something since `plan` was made; see [`Wallet::send`].
    pub async fn deploy(
        &self,
        plan: Deployment,
        params: RouterParams,
    ) -> Result<Deployment, ClientError> {
        if self.plan().await? != plan {
            return Err(ClientError::Unexpected(format!(
                "account {} has sent transactions since the addresses were planned: plan again",
                self.wallet.address()
            )));
        }
        let deployer = self.wallet.address();
        let proxy = Artifact::erc1967_proxy()?;
        let proxy_of = |implementation: Address, data: Vec<u8>| {
            proxy.creation_code(
                &ERC1967Proxy::constructorCall {
                    implementation,
                    _data: data.into(),
                }
                .abi_encode(),
            )
        };
        let token_code = deployer.create(plan.nonce + 1);
        let router_code = deployer.create(plan.nonce + 3);
        let initialize = Router::initializeCall {
            params: init_params(&plan, &params),
        };
        let contracts = [
            (
                "the owner contract",
                owner_creation_code(deployer),
                CONTRACT_GAS,
            ),
            (
                "wVARA's code",
                Artifact::wrapped_vara()?.creation_code(&[]),
                CONTRACT_GAS,
            ),
            (
                "wVARA",
                proxy_of(
                    token_code,
                    WrappedVara::initializeCall {
                        initialOwner: deployer,
                    }
                    .abi_encode(),
                ),
                CONTRACT_GAS,
            ),
            (
                "the Router's code",
                Artifact::router()?.creation_code(&[]),
                ROUTER_GAS,
            ),
            (
                "the Router",
                proxy_of(router_code, initialize.abi_encode()),
                CONTRACT_GAS,
            ),
            (
                "the Mirror",
                Artifact::mirror()?.creation_code(
                    &Mirror::constructorCall {
                        router_: plan.router,
                    }
                    .abi_encode(),
                ),
                CONTRACT_GAS,
            ),
        ];
        let mut submitted = Vec::new();
        for (name, data, gas) in contracts {
            let transaction = Transaction {
                action: format!("deploying {name}"),
                data,
                gas: Some(gas),
                ..Default::default()
            };
            submitted.push(self.wallet.submit(transaction).await?);
        }
        for (to, amount) in params.mint {
            let call = WrappedVara::mintCall { to, amount };
            let mint = Transaction {
                gas: Some(200_000),
                ..Transaction::call("minting wVARA", plan.wrapped_vara, &call)
            };
            submitted.push(self.wallet.submit(mint).await?);
        }
        // From here on wVARA is made for locked VARA only.
        let set_minter = WrappedVara::setMinterCall {
            newMinter: plan.router,
        };
        let set_minter = Transaction {
            gas: Some(200_000),
            ..Transaction::call(
                "giving the minting of wVARA to the Router",
                plan.wrapped_vara,
                &set_minter,
            )
        };
        submitted.push(self.wallet.submit(set_minter).await?);
        for transaction in &submitted {
            self.wallet.mined(transaction).await?;
        }
        let lookup = Router::lookupGenesisHashCall {};
        self.wallet
            .send(Transaction::call(
                "noting the Router's block",
                plan.router,
                &lookup,
            ))
            .await?;
        Ok(plan)
    }
}

fn init_params(plan: &Deployment, params: &RouterParams) -> Router::InitParams {
    Router::InitParams {
        owner: params.owner.unwrap_or(plan.owner),
        mirror: plan.mirror,
        wrappedVara: plan.wrapped_vara,
        middleware: params.middleware,
        genesis: b256(params.genesis),
        validators: params
            .validators
            .iter()
            .map(|member| address(member.address))
            .collect(),
        weights: params
            .validators
            .iter()
            .map(|member| member.weight)
            .collect(),
        upgradeDelay: U48::from(params.upgrade_delay),
        maxStaleness: U48::from(params.max_staleness),
        callbackStipend: params.callback_stipend,
        requestCodeValidationBaseFee: params.code_fee,
        requestCodeValidationExtraFee: params.code_extra_fee,
        computeThreshold: params.compute_threshold,
        wvaraPerSecond: params.wvara_per_second,
    }
}

/// The owner contract of development networks: it passes calls on for one key. The Router takes no plain account as its
/// owner.
fn owner_creation_code(key: Address) -> Bytes {
    // Copies the 62 bytes behind itself and returns them as the contract's code.
    let creation = [0x60, 0x3e, 0x80, 0x60, 0x09, 0x5f, 0x39, 0x5f, 0xf3];
    // caller == key, or revert
    let check = [0x14, 0x60, 0x1d, 0x57, 0x5f, 0x5f, 0xfd, 0x5b];
    let body = [
        0x60, 0x20, 0x36, 0x03, // length = calldatasize - 32
        0x80, 0x60, 0x20, 0x5f, 0x37, // calldatacopy(0, 32, length)
        0x5f, 0x5f, 0x82, 0x5f, 0x34, 0x5f, 0x35,
        0x5a, // gas, word 0, callvalue, 0, length, 0, 0
        0xf1, // call
        0x3d, 0x5f, 0x5f, 0x3e, // returndatacopy(0, 0, returndatasize)
        0x60, 0x3a, 0x57, // to the end if it succeeded
        0x3d, 0x5f, 0xfd, // revert with its words
        0x5b, 0x3d, 0x5f, 0xf3, // return its words
    ];
    [&creation[..], &[0x33, 0x73], key.as_slice(), &check, &body]
        .concat()
        .into()
}

/// Calldata by which the key behind the owner contract of a development network has it call `target`.
pub fn forwarded(target: Address, calldata: &[u8]) -> Bytes {
    [target.into_word().as_slice(), calldata].concat().into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_owner_contract_has_the_length_that_it_copies() {
        let code = owner_creation_code(Address::repeat_byte(1));
        assert_eq!(code.len(), 9 + 0x3e);
        assert_eq!(code[9 + 0x1d], 0x5b);
        assert_eq!(code[9 + 0x3a], 0x5b);
    }
}
