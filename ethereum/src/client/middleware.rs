//! Sets the Middleware up beside a Router, and makes the Router listen to it: what a network with ETH stake needs besides
//! [`Deployer::deploy`].
//!
//! The Router changes its Middleware only after its upgrade delay, in public: [`Deployer::deploy_middleware`] schedules the
//! change, [`Deployer::apply_middleware`] makes it when the delay is over.

use super::{ClientError, Deployer, Deployment, Transaction, forwarded};
use crate::{
    abi::{ERC1967Proxy, Middleware, Router},
    artifact::Artifact,
};
use alloy::{
    primitives::{Address, aliases::U48},
    rpc::types::TransactionReceipt,
    sol_types::{SolCall, SolConstructor},
};

/// Symbiotic's contracts, as far as the Middleware speaks to them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SymbioticAddresses {
    /// Registry of networks.
    pub network_registry: Address,
    /// Who acts for which network.
    pub network_middleware_service: Address,
    /// Registry of operators.
    pub operator_registry: Address,
    /// Where operators opt in to networks.
    pub operator_network_opt_in: Address,
    /// Maker, and so registry, of vaults.
    pub vault_factory: Address,
}

/// What a Middleware starts with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct MiddlewareParams {
    /// Symbiotic's contracts.
    pub symbiotic: SymbioticAddresses,
    /// Seconds that a replacement of code waits.
    pub upgrade_delay: u32,
    /// Seconds between a capture and the arrival of a slash for it.
    pub slash_window: u32,
    /// Seconds that are kept for a slash's execution after its veto phase.
    pub execution_margin: u32,
    /// Seconds that governance needs for a veto.
    pub min_veto_duration: u32,
    /// The most that is slashed for one operator and one capture, in parts per billion.
    pub max_fraction: u32,
    /// What a double signature that is reported on Ethereum costs, in parts per billion.
    pub double_sign_fraction: u32,
    /// What counts of a vault that may also serve other networks, in parts per billion.
    pub restaked_share: u32,
}

impl MiddlewareParams {
    /// The windows of `contracts/README.md`.
    pub const fn new(symbiotic: SymbioticAddresses) -> Self {
        const DAY: u32 = 24 * 3_600;
        const ONE: u32 = 1_000_000_000;
        Self {
            symbiotic,
            upgrade_delay: 2 * DAY,
            slash_window: 6 * DAY,
            execution_margin: DAY,
            min_veto_duration: DAY,
            max_fraction: ONE,
            double_sign_fraction: ONE / 10,
            restaked_share: ONE / 2,
        }
    }

    fn init(&self, deployment: &Deployment) -> Middleware::InitParams {
        Middleware::InitParams {
            owner: deployment.owner,
            router: deployment.router,
            networkRegistry: self.symbiotic.network_registry,
            networkMiddlewareService: self.symbiotic.network_middleware_service,
            operatorRegistry: self.symbiotic.operator_registry,
            operatorNetworkOptIn: self.symbiotic.operator_network_opt_in,
            vaultFactory: self.symbiotic.vault_factory,
            upgradeDelay: U48::from(self.upgrade_delay),
            slashWindow: U48::from(self.slash_window),
            executionMargin: U48::from(self.execution_margin),
            minVetoDuration: U48::from(self.min_veto_duration),
            maxFraction: self.max_fraction,
            doubleSignFraction: self.double_sign_fraction,
            restakedShare: self.restaked_share,
        }
    }
}

impl Deployer {
    /// Deploys a Middleware for a Router that [`Deployer::deploy`] has set up with the small owner contract, registers it
    /// with Symbiotic as a network, and schedules it as the Router's Middleware. Returns its address.
    ///
    /// # Errors
    ///
    /// See [`super::Wallet::send`].
    pub async fn deploy_middleware(
        &self,
        deployment: &Deployment,
        params: &MiddlewareParams,
    ) -> Result<Address, ClientError> {
        let code = self
            .wallet()
            .deploy("the Middleware's code", &Artifact::middleware()?, &[])
            .await?;
        let initialize = Middleware::initializeCall {
            params: params.init(deployment),
        };
        let arguments = ERC1967Proxy::constructorCall {
            implementation: code,
            _data: initialize.abi_encode().into(),
        }
        .abi_encode();
        let middleware = self
            .wallet()
            .deploy("the Middleware", &Artifact::erc1967_proxy()?, &arguments)
            .await?;
        let schedule = Router::setMiddlewareCall {
            newMiddleware: middleware,
        };
        self.govern(
            deployment,
            "scheduling the Middleware",
            deployment.router,
            &schedule,
        )
        .await?;
        Ok(middleware)
    }

    /// Makes a scheduled Middleware the Router's, once the Router's upgrade delay is over.
    ///
    /// # Errors
    ///
    /// [`ClientError::Refused`] with `NotScheduled` before that; see [`super::Wallet::send`].
    pub async fn apply_middleware(
        &self,
        deployment: &Deployment,
        middleware: Address,
    ) -> Result<(), ClientError> {
        let apply = Router::applyMiddlewareCall {
            newMiddleware: middleware,
        };
        self.govern(
            deployment,
            "applying the Middleware",
            deployment.router,
            &apply,
        )
        .await
        .map(drop)
    }

    /// Calls `target` as the owner of Router and Middleware, through the small owner contract of a development network.
    ///
    /// # Errors
    ///
    /// See [`super::Wallet::send`].
    pub async fn govern<C: SolCall>(
        &self,
        deployment: &Deployment,
        action: &str,
        target: Address,
        call: &C,
    ) -> Result<TransactionReceipt, ClientError> {
        self.wallet()
            .send(Transaction {
                action: action.into(),
                to: Some(deployment.owner),
                data: forwarded(target, &call.abi_encode()),
                ..Default::default()
            })
            .await
    }
}
