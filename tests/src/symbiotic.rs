//! Symbiotic's own contracts on a test's Ethereum, as they are published, and what operators and stakers do with them.
//!
//! `npm --prefix contracts run symbiotic` compiles them into `contracts/out-symbiotic`, with a wrapped ETH as collateral.

use alloy::{
    primitives::{Address, U256, aliases::U48},
    sol,
    sol_types::{SolCall, SolValue},
};
use anyhow::{Context, Result, ensure};
use gear_exe_ethereum::{
    artifact::Artifact,
    client::{SymbioticAddresses, Transaction, Wallet},
};
use std::path::Path;

/// Where slashed collateral goes: nobody has its key.
pub const BURNER: Address = Address::repeat_byte(0xb0);

/// Symbiotic's numbers of its kinds of delegators and slashers.
const OPERATOR_NETWORK_SPECIFIC: u64 = 3;
const VETO_SLASHER: u64 = 1;

mod words {
    #![allow(missing_docs, clippy::too_many_arguments)]
    use super::*;

    sol! {
        function whitelist(address implementation) external;
        function registerOperator() external;
        function registerVault(address vault) external;
        function optIn(address where) external;
        function approve(address spender, uint256 amount) external returns (bool);
        function balanceOf(address account) external view returns (uint256);
        function totalStake() external view returns (uint256);

        struct ConfiguratorParams {
            uint64 version;
            address owner;
            bytes vaultParams;
            uint64 delegatorIndex;
            bytes delegatorParams;
            bool withSlasher;
            uint64 slasherIndex;
            bytes slasherParams;
        }

        struct VaultParams {
            address collateral;
            address burner;
            uint48 epochDuration;
            bool depositWhitelist;
            bool isDepositLimit;
            uint256 depositLimit;
            address defaultAdminRoleHolder;
            address depositWhitelistSetRoleHolder;
            address depositorWhitelistRoleHolder;
            address isDepositLimitSetRoleHolder;
            address depositLimitSetRoleHolder;
        }

        struct DelegatorBase {
            address defaultAdminRoleHolder;
            address hook;
            address hookSetRoleHolder;
        }

        struct DelegatorParams {
            DelegatorBase base;
            address network;
            address operator;
        }

        struct SlasherBase {
            bool isBurnerHook;
        }

        struct SlasherParams {
            SlasherBase base;
            uint48 vetoDuration;
            uint256 resolverSetEpochsDelay;
        }

        function create(ConfiguratorParams params) external returns (address vault, address delegator, address slasher);
    }

    pub(super) mod weth {
        use super::*;
        sol! {
            function deposit() external payable;
        }
    }

    pub(super) mod vault {
        use super::*;
        sol! {
            function deposit(address onBehalfOf, uint256 amount) external returns (uint256 deposited, uint256 minted);
        }
    }
}

/// How long a vault's stake can be slashed, and how long a slash can be vetoed, in seconds.
#[derive(Clone, Copy, Debug)]
pub struct Windows {
    /// A vault's epoch.
    pub epoch: u32,
    /// The veto phase of its slasher.
    pub veto: u32,
}

/// Symbiotic's contracts, and a collateral.
#[derive(Clone, Debug)]
pub struct Symbiotic {
    /// What the Middleware must know of them.
    pub addresses: SymbioticAddresses,
    /// Wrapped ETH.
    pub weth: Address,
    operator_vault_opt_in: Address,
    configurator: Address,
    windows: Windows,
}

/// A vault with stake for one operator.
#[derive(Clone, Copy, Debug)]
pub struct StakedVault {
    /// The vault.
    pub address: Address,
    /// The operator's address on Ethereum.
    pub operator: Address,
}

fn artifact(name: &str) -> Result<Artifact> {
    // Where the test runs, not where it was built: checkouts share build products.
    let here = std::env::var_os("CARGO_MANIFEST_DIR").context("tests are run by cargo")?;
    let file = Path::new(&here)
        .join("../contracts/out-symbiotic")
        .join(format!("{name}.sol/{name}.json"));
    let text = std::fs::read_to_string(&file).with_context(|| {
        format!(
            "{} is missing: npm --prefix contracts run symbiotic",
            file.display()
        )
    })?;
    Ok(Artifact::from_json(&text)?)
}

/// Deploys a contract; `arguments` are its encoded constructor arguments.
async fn deploy(wallet: &Wallet, name: &str, arguments: Vec<u8>) -> Result<Address> {
    Ok(wallet.deploy(name, &artifact(name)?, &arguments).await?)
}

/// Calls a method, and waits until that is mined.
async fn call(wallet: &Wallet, to: Address, method: &impl SolCall, value: u128) -> Result<()> {
    let action = format!("calling {to}");
    wallet
        .send(Transaction::call(action, to, method).with_value(value))
        .await?;
    Ok(())
}

impl Symbiotic {
    /// Deploys all of it; `wallet` owns it.
    ///
    /// # Errors
    ///
    /// If it is not compiled, or a transaction fails.
    pub async fn deploy(wallet: &Wallet, windows: Windows) -> Result<Self> {
        let owner = wallet.address().abi_encode();
        let vault_factory = deploy(wallet, "VaultFactory", owner.clone()).await?;
        let delegator_factory = deploy(wallet, "DelegatorFactory", owner.clone()).await?;
        let slasher_factory = deploy(wallet, "SlasherFactory", owner).await?;
        let network_registry = deploy(wallet, "NetworkRegistry", Vec::new()).await?;
        let operator_registry = deploy(wallet, "OperatorRegistry", Vec::new()).await?;
        let network_middleware_service = deploy(
            wallet,
            "NetworkMiddlewareService",
            network_registry.abi_encode(),
        )
        .await?;
        let opt_in = |place: Address, name: &str| {
            (operator_registry, place, name.to_owned()).abi_encode_params()
        };
        let operator_vault_opt_in = deploy(
            wallet,
            "OptInService",
            opt_in(vault_factory, "OperatorVaultOptInService"),
        )
        .await?;
        let operator_network_opt_in = deploy(
            wallet,
            "OptInService",
            opt_in(network_registry, "OperatorNetworkOptInService"),
        )
        .await?;

        // Kinds are counted by the factories, in this order.
        let network_wide = (
            network_registry,
            vault_factory,
            operator_vault_opt_in,
            operator_network_opt_in,
            delegator_factory,
        )
            .abi_encode_params();
        let of_operator = [operator_registry.abi_encode(), network_wide.clone()].concat();
        let with_middleware = (vault_factory, network_middleware_service).abi_encode_params();
        let with_veto = [with_middleware.clone(), network_registry.abi_encode()].concat();
        let kind = |of: &[u8], kind: u64| [of, &kind.abi_encode()].concat();
        let slasher =
            |of: &[u8], number: u64| kind(&[of, &slasher_factory.abi_encode()].concat(), number);
        let vault = (delegator_factory, slasher_factory, vault_factory).abi_encode_params();
        for (factory, name, arguments) in [
            (vault_factory, "Vault", vault),
            (
                delegator_factory,
                "NetworkRestakeDelegator",
                kind(&network_wide, 0),
            ),
            (
                delegator_factory,
                "FullRestakeDelegator",
                kind(&network_wide, 1),
            ),
            (
                delegator_factory,
                "OperatorSpecificDelegator",
                kind(&of_operator, 2),
            ),
            (
                delegator_factory,
                "OperatorNetworkSpecificDelegator",
                kind(&of_operator, OPERATOR_NETWORK_SPECIFIC),
            ),
            (slasher_factory, "Slasher", slasher(&with_middleware, 0)),
            (
                slasher_factory,
                "VetoSlasher",
                slasher(&with_veto, VETO_SLASHER),
            ),
        ] {
            let implementation = deploy(wallet, name, arguments).await?;
            let whitelist = words::whitelistCall { implementation };
            call(wallet, factory, &whitelist, 0).await?;
        }
        let factories = (vault_factory, delegator_factory, slasher_factory).abi_encode_params();
        let configurator = deploy(wallet, "VaultConfigurator", factories).await?;
        Ok(Self {
            addresses: SymbioticAddresses {
                network_registry,
                network_middleware_service,
                operator_registry,
                operator_network_opt_in,
                vault_factory,
            },
            weth: deploy(wallet, "Weth", Vec::new()).await?,
            operator_vault_opt_in,
            configurator,
            windows,
        })
    }

    /// What an operator does, step by step: it registers with Symbiotic and opts in to the network, registers with the
    /// Middleware, makes a vault and opts in to that, registers it, and puts wrapped ETH of its own into it, in wei.
    ///
    /// # Errors
    ///
    /// If a transaction fails.
    pub async fn stake(
        &self,
        operator: &Wallet,
        middleware: Address,
        wei: u128,
    ) -> Result<StakedVault> {
        let opt_in = words::optInCall {
            r#where: middleware,
        };
        call(
            operator,
            self.addresses.operator_registry,
            &words::registerOperatorCall {},
            0,
        )
        .await?;
        call(operator, self.addresses.operator_network_opt_in, &opt_in, 0).await?;
        call(operator, middleware, &words::registerOperatorCall {}, 0).await?;
        let vault = self.make_vault(operator, middleware).await?;
        let opt_in = words::optInCall { r#where: vault };
        call(operator, self.operator_vault_opt_in, &opt_in, 0).await?;
        call(operator, middleware, &words::registerVaultCall { vault }, 0).await?;

        let amount = U256::from(wei);
        call(operator, self.weth, &words::weth::depositCall {}, wei).await?;
        let approve = words::approveCall {
            spender: vault,
            amount,
        };
        call(operator, self.weth, &approve, 0).await?;
        let deposit = words::vault::depositCall {
            onBehalfOf: operator.address(),
            amount,
        };
        call(operator, vault, &deposit, 0).await?;
        Ok(StakedVault {
            address: vault,
            operator: operator.address(),
        })
    }

    async fn make_vault(&self, operator: &Wallet, network: Address) -> Result<Address> {
        let owner = operator.address();
        let params = words::ConfiguratorParams {
            version: 1,
            owner,
            vaultParams: words::VaultParams {
                collateral: self.weth,
                burner: BURNER,
                epochDuration: U48::from(self.windows.epoch),
                depositWhitelist: false,
                isDepositLimit: false,
                depositLimit: U256::ZERO,
                defaultAdminRoleHolder: owner,
                depositWhitelistSetRoleHolder: Address::ZERO,
                depositorWhitelistRoleHolder: Address::ZERO,
                isDepositLimitSetRoleHolder: Address::ZERO,
                depositLimitSetRoleHolder: Address::ZERO,
            }
            .abi_encode()
            .into(),
            delegatorIndex: OPERATOR_NETWORK_SPECIFIC,
            delegatorParams: words::DelegatorParams {
                base: words::DelegatorBase {
                    defaultAdminRoleHolder: owner,
                    hook: Address::ZERO,
                    hookSetRoleHolder: owner,
                },
                network,
                operator: owner,
            }
            .abi_encode()
            .into(),
            withSlasher: true,
            slasherIndex: VETO_SLASHER,
            slasherParams: words::SlasherParams {
                base: words::SlasherBase {
                    isBurnerHook: false,
                },
                vetoDuration: U48::from(self.windows.veto),
                resolverSetEpochsDelay: U256::from(3),
            }
            .abi_encode()
            .into(),
        };
        let create = words::createCall { params };
        // What it will answer, if nothing comes between.
        let made = operator.call(self.configurator, &create).await?;
        call(operator, self.configurator, &create, 0).await?;
        let code = alloy::providers::Provider::get_code_at(operator.provider(), made.vault).await?;
        ensure!(!code.is_empty(), "the vault is not where it should be");
        Ok(made.vault)
    }

    /// What a vault holds that can still be slashed, in wei of wrapped ETH.
    ///
    /// # Errors
    ///
    /// If Ethereum does not answer.
    pub async fn held(&self, wallet: &Wallet, vault: &StakedVault) -> Result<U256> {
        Ok(wallet
            .call(vault.address, &words::totalStakeCall {})
            .await?)
    }

    /// Wrapped ETH that was burnt, in wei.
    ///
    /// # Errors
    ///
    /// If Ethereum does not answer.
    pub async fn burnt(&self, wallet: &Wallet) -> Result<U256> {
        Ok(wallet
            .call(self.weth, &words::balanceOfCall { account: BURNER })
            .await?)
    }
}
