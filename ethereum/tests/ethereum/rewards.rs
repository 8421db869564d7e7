//! Whether rewards were taken, as the Router's and the Middleware's own code show it on Anvil.

use crate::common::{Network, WVARA};
use alloy::{
    primitives::{Address, Bytes, U256, aliases::U48, keccak256},
    providers::ext::AnvilApi,
    sol_types::{SolCall, SolConstructor, SolValue},
};
use gear_exe_ethereum::{
    abi::{ERC1967Proxy, Middleware, Router},
    artifact::Artifact,
    client::{Transaction, forwarded},
    dev::AnvilConfig,
    facts::FactReader,
};
use gear_exe_primitives::{
    H160, H256,
    facts::{AskedRewards, Fact, FactsRequest, RewardsFate, RewardsTrace},
    outbox::{OutboxItem, VaultReward},
    rewards::{self, RewardClaim},
};
use std::time::Duration;

/// Where the Middleware's storage is, and the place of `vaultOf` in it: see `MiddlewareStorage.sol`.
const LOCATION: &str = "5484d2d74a60de4a348d79176ca929a0a0b50fe8cdbcc787d1d83e46e285d700";
const VAULT_OF: u64 = 10;
/// Symbiotic's registries are not what is tested here: a contract that takes every call.
const REGISTRY: Address = Address::repeat_byte(0x5b);
const CAPTURE: u64 = 1_000;
const DAY: u32 = 24 * 3_600;

/// A network whose Router has the fee of a code to give away, and the outbox of a chain that has sent it `items`.
struct World {
    network: Network,
    items: u64,
}

impl World {
    async fn start() -> Self {
        let network = Network::start(AnvilConfig::default(), &[1]).await;
        network.router.upload_code(b"\0asm").await.unwrap();
        let provider = network.user.provider();
        let stop = Bytes::from_static(&[0]);
        provider.anvil_set_code(REGISTRY, stop).await.unwrap();
        Self { network, items: 0 }
    }

    /// Another Middleware becomes the Router's. It knows one vault.
    async fn set_middleware(&self) -> Address {
        let network = &self.network;
        let router = network.router.address();
        let owner = network
            .user
            .call(router, &Router::ownerCall {})
            .await
            .unwrap();
        let code = network
            .deployer
            .deploy("the code", &Artifact::middleware().unwrap(), &[])
            .await
            .unwrap();
        let days = |days| U48::from(days * DAY);
        let params = Middleware::InitParams {
            owner,
            router,
            networkRegistry: REGISTRY,
            networkMiddlewareService: REGISTRY,
            operatorRegistry: REGISTRY,
            operatorNetworkOptIn: REGISTRY,
            vaultFactory: REGISTRY,
            upgradeDelay: days(2),
            slashWindow: days(5),
            executionMargin: days(1),
            minVetoDuration: days(1),
            maxFraction: 1_000_000_000,
            doubleSignFraction: 100_000_000,
            restakedShare: 500_000_000,
        };
        let arguments = ERC1967Proxy::constructorCall {
            implementation: code,
            _data: Middleware::initializeCall { params }.abi_encode().into(),
        };
        let middleware = network
            .deployer
            .deploy(
                "the Middleware",
                &Artifact::erc1967_proxy().unwrap(),
                &arguments.abi_encode(),
            )
            .await
            .unwrap();
        let tell = async |data: Vec<u8>| {
            let call = Transaction {
                to: Some(owner),
                data: forwarded(router, &data),
                ..Default::default()
            };
            network.deployer.send(call).await.unwrap();
        };
        let schedule = Router::setMiddlewareCall {
            newMiddleware: middleware,
        };
        tell(schedule.abi_encode()).await;
        let provider = network.user.provider();
        let delay = u64::from(2 * DAY) + 1;
        provider.anvil_increase_time(delay).await.unwrap();
        provider.anvil_mine(Some(1), None).await.unwrap();
        let apply = Router::applyMiddlewareCall {
            newMiddleware: middleware,
        };
        tell(apply.abi_encode()).await;
        // Vault 1 is registered.
        let base = U256::from_str_radix(LOCATION, 16).unwrap() + U256::from(VAULT_OF);
        let slot = keccak256((Address::from(vault(1).0), base).abi_encode());
        let operator = Address::repeat_byte(0x0b).into_word();
        provider
            .anvil_set_storage_at(middleware, slot.into(), operator)
            .await
            .unwrap();
        middleware
    }

    /// Commits an item, and returns how it is asked about.
    async fn commit(&mut self, item: OutboxItem) -> AskedRewards {
        let OutboxItem::Rewards {
            era,
            operators_root,
            operators_total,
            vaults,
            ..
        } = &item
        else {
            panic!("{item:?}");
        };
        let paid: u128 = vaults.iter().map(|reward| reward.amount).sum();
        let asked = AskedRewards {
            era: *era,
            item: self.items,
            amount: operators_total + paid,
            trace: match vaults.first() {
                None => RewardsTrace::Claims(*operators_root),
                Some(reward) => RewardsTrace::Vault {
                    vault: reward.vault,
                    amount: reward.amount,
                },
            },
        };
        self.network.commit(Vec::new(), vec![item]).await;
        self.items += 1;
        asked
    }

    async fn read(&self, delivered: u128, rewards: &[AskedRewards]) -> Vec<Fact> {
        let url = self.network.anvil.http();
        let reader = FactReader {
            endpoints: vec![url],
            router: self.network.router.domain().router,
            timeout: Duration::from_secs(20),
        };
        let request = FactsRequest {
            rewards: rewards.to_vec(),
            delivered,
            ..Default::default()
        };
        let head = self.network.user.head().await.unwrap();
        reader.read(head, &request).await.unwrap()
    }
}

fn vault(number: u8) -> H160 {
    H160::repeat_byte(number)
}

fn claims(era: u32, amount: u128) -> OutboxItem {
    let claim = RewardClaim {
        to: H160::repeat_byte(0xcc),
        amount,
    };
    OutboxItem::Rewards {
        era,
        capture: CAPTURE,
        operators_root: rewards::root(era, &[claim]),
        operators_total: amount,
        vaults: Vec::new(),
    }
}

fn vaults(era: u32, rewards: &[(u8, u128)]) -> OutboxItem {
    OutboxItem::Rewards {
        era,
        capture: CAPTURE,
        operators_root: H256::zero(),
        operators_total: 0,
        vaults: rewards
            .iter()
            .map(|(number, amount)| VaultReward {
                vault: vault(*number),
                amount: *amount,
            })
            .collect(),
    }
}

fn taken(of: &AskedRewards) -> Fact {
    fact(of, RewardsFate::Taken)
}

fn skipped(of: &AskedRewards) -> Fact {
    fact(of, RewardsFate::Skipped)
}

const fn fact(of: &AskedRewards, fate: RewardsFate) -> Fact {
    Fact::Rewards {
        era: of.era,
        item: of.item,
        fate,
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_the_middleware_took_and_what_the_router_skipped() {
    let mut world = World::start().await;
    // Without a Middleware nothing is taken.
    let first = world.commit(claims(1, 5 * WVARA)).await;
    let lost = world.commit(vaults(1, &[(1, WVARA)])).await;
    assert_eq!(
        world.read(0, &[first, lost]).await,
        [skipped(&first), skipped(&lost)]
    );

    world.set_middleware().await;
    let again = world.commit(claims(1, 5 * WVARA)).await;
    let paid = world.commit(vaults(1, &[(1, 3 * WVARA)])).await;
    // A vault that it does not know, also beside one that it does.
    let unknown = world.commit(vaults(2, &[(1, WVARA), (2, WVARA)])).await;
    // Other claims of an era that has some; more than there is to give.
    let known = world.commit(claims(1, 4 * WVARA)).await;
    let dear = world.commit(claims(3, 2_000_000 * WVARA)).await;
    let all = [again, paid, unknown, known, dear];
    let facts = [
        taken(&again),
        taken(&paid),
        skipped(&unknown),
        skipped(&known),
        skipped(&dear),
    ];
    assert_eq!(world.read(0, &all).await, facts);
    // The item that was skipped before has the same content as the one that was taken: it is not asked about any more.
    // What is known to be taken need not be asked about either.
    assert_eq!(world.read(8 * WVARA, &all[2..]).await, facts[2..]);
    // But where more was paid than is known, nothing is called skipped.
    assert_eq!(world.read(0, &all[2..]).await, []);
    assert_eq!(world.read(5 * WVARA, &all[2..]).await, []);
    assert_eq!(world.read(3 * WVARA, &all[..1]).await, facts[..1]);
    assert_eq!(world.read(8 * WVARA + 1, &all[2..]).await, []);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_another_middleware_took_is_not_called_skipped() {
    let mut world = World::start().await;
    world.set_middleware().await;
    let claimed = world.commit(claims(1, 5 * WVARA)).await;
    let paid = world.commit(vaults(1, &[(1, 3 * WVARA)])).await;
    let both = [taken(&claimed), taken(&paid)];
    assert_eq!(world.read(0, &[claimed, paid]).await, both);
    world.set_middleware().await;
    let unknown = world.commit(vaults(2, &[(2, WVARA)])).await;
    let later = world.commit(claims(2, WVARA)).await;
    let all = [claimed, paid, unknown, later];
    assert_eq!(world.read(0, &all).await, [taken(&later)]);
    // Once it is known what the first one has got, the rest can be told.
    assert_eq!(
        world.read(8 * WVARA, &all[2..]).await,
        [skipped(&unknown), taken(&later)]
    );
}
