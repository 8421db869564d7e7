//! Facts on Anvil: burns as the deployed Router keeps them, and slashes as the Middleware's own code tells them.

use crate::common::{Network, WVARA};
use alloy::{
    primitives::{Address, B256, U256, keccak256},
    providers::ext::AnvilApi,
    sol_types::{SolCall, SolValue},
};
use gear_exe_ethereum::{
    abi::Router,
    artifact::Artifact,
    client::{Transaction, forwarded},
    convert::h160,
    dev::AnvilConfig,
    facts::{FactReader, FactsError},
};
use gear_exe_primitives::{
    H160, H256,
    ethereum::BlockId,
    facts::{Burn, Fact, FactsRequest, MAX_FACTS, SlashFate},
    outbox::OutboxItem,
};
use std::time::Duration;

const ACCOUNT: H256 = H256::repeat_byte(0xac);
/// `keccak256(abi.encode(uint256(keccak256("gear.exe.middleware")) - 1)) & ~0xff`: where the Middleware's storage is.
const LOCATION: &str = "5484d2d74a60de4a348d79176ca929a0a0b50fe8cdbcc787d1d83e46e285d700";

fn reader(network: &Network, endpoints: &[&str]) -> FactReader {
    FactReader {
        endpoints: endpoints.iter().map(|url| (*url).to_owned()).collect(),
        router: network.router.domain().router,
        timeout: Duration::from_secs(20),
    }
}

fn asks(burns_from: u64, burns_most: u32, slashes: &[u64]) -> FactsRequest {
    FactsRequest {
        block: BlockId::default(),
        burns_from,
        burns_most,
        slashes: slashes.to_vec(),
        ..Default::default()
    }
}

fn burn(number: u64) -> Fact {
    Fact::Burn(Burn {
        number,
        account: ACCOUNT,
        amount: u128::from(number + 1) * WVARA,
    })
}

fn fact(id: u64, fate: SlashFate) -> Fact {
    Fact::Slash { id, fate }
}

async fn head(network: &Network) -> BlockId {
    network.user.head().await.unwrap()
}

/// The user burns as much as burn `number` here has.
async fn burn_on(network: &Network, number: u64) {
    let call = Router::burnToVaraCall {
        amount: u128::from(number + 1) * WVARA,
        account: B256::from(ACCOUNT.0),
        deadline: U256::ZERO,
        v: 0,
        r: B256::ZERO,
        s: B256::ZERO,
    };
    let burn = Transaction::call("burning wVARA", network.router.address(), &call);
    network.user.send(burn).await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn burns_are_read_in_order_at_a_block() {
    let network = Network::start(AnvilConfig::default(), &[1]).await;
    let token = network.router.token().await.unwrap();
    token
        .approve(network.router.address(), U256::MAX)
        .await
        .unwrap();
    let before = head(&network).await;
    burn_on(&network, 0).await;
    let after_one = head(&network).await;
    for number in 1..5 {
        burn_on(&network, number).await;
    }
    let now = head(&network).await;
    let url = network.anvil.http();
    let reader = reader(&network, &[&url]);
    let read = async |block, request| reader.read(block, &request).await.unwrap();
    let all: Vec<_> = (0..5).map(burn).collect();
    assert_eq!(read(now, asks(0, 16, &[])).await, all);
    assert_eq!(read(now, asks(0, 2, &[])).await, all[..2]);
    assert_eq!(read(now, asks(3, 16, &[])).await, all[3..]);
    assert_eq!(read(now, asks(0, u32::MAX, &[])).await, all);
    assert!(MAX_FACTS > all.len());
    for request in [asks(5, 16, &[]), asks(u64::MAX, 16, &[]), asks(0, 0, &[])] {
        assert_eq!(read(now, request).await, []);
    }
    // Only what had happened by that block.
    assert_eq!(read(before, asks(0, 16, &[])).await, []);
    assert_eq!(read(after_one, asks(0, 16, &[])).await, all[..1]);
}

/// What the chain has locked is wVARA on Ethereum, and what is burned is read.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_was_minted_can_be_burned() {
    let network = Network::start(AnvilConfig::default(), &[1]).await;
    let token = network.router.token().await.unwrap();
    let had = token.balance_of(network.user.address()).await.unwrap();
    let mint = OutboxItem::Mint {
        id: 0,
        to: h160(network.user.address()),
        amount: 3 * WVARA,
    };
    network.commit(Vec::new(), vec![mint]).await;
    let has = token.balance_of(network.user.address()).await.unwrap();
    assert_eq!(has, had + U256::from(3 * WVARA));
    token
        .approve(network.router.address(), U256::MAX)
        .await
        .unwrap();
    burn_on(&network, 0).await;
    let url = network.anvil.http();
    let facts = reader(&network, &[&url])
        .read(head(&network).await, &asks(0, 16, &[]))
        .await
        .unwrap();
    assert_eq!(facts, [burn(0)]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_cannot_be_read_is_an_error() {
    let network = Network::start(AnvilConfig::default(), &[1]).await;
    let url = network.anvil.http();
    let nowhere = "http://127.0.0.1:1";
    let now = head(&network).await;
    let request = asks(0, 16, &[]);
    // The first endpoint that answers.
    let facts = reader(&network, &[nowhere, &url]).read(now, &request).await;
    assert_eq!(facts, Ok(Vec::new()));
    let failed = reader(&network, &[&url, nowhere])
        .read(
            BlockId {
                hash: H256::repeat_byte(1),
                ..now
            },
            &request,
        )
        .await;
    assert!(matches!(
        failed,
        Err(FactsError::Endpoint { endpoint: 1, .. })
    ));
    let failed = reader(&network, &[]).read(now, &request).await;
    assert_eq!(failed, Err(FactsError::NoEndpoint));
    // Not a Router.
    let mut wrong = reader(&network, &[&url]);
    wrong.router = H160::repeat_byte(5);
    assert!(wrong.read(now, &request).await.is_err());
}

/// Writes what Symbiotic's contracts would have led to.
struct Storage<'a> {
    network: &'a Network,
    middleware: Address,
}

fn key_of(key: impl SolValue, base: U256) -> U256 {
    U256::from_be_bytes(keccak256((key, base).abi_encode()).0)
}

impl Storage<'_> {
    fn slot(offset: u64) -> U256 {
        U256::from_str_radix(LOCATION, 16).unwrap() + U256::from(offset)
    }

    async fn put(&self, slot: U256, value: U256) {
        self.network
            .user
            .provider()
            .anvil_set_storage_at(self.middleware, slot, B256::from(value))
            .await
            .unwrap();
    }

    /// `operator` has registered vaults with these epochs.
    async fn vaults(&self, operator: Address, vaults: &[(Address, u64)]) {
        let entry = key_of(operator, Self::slot(9)) + U256::from(1);
        self.put(entry, U256::from(vaults.len())).await;
        let first = U256::from_be_bytes(keccak256(entry.abi_encode()).0);
        for (index, (vault, epoch)) in vaults.iter().enumerate() {
            self.put(first + U256::from(index), vault.into_word().into())
                .await;
            let owner: U256 = operator.into_word().into();
            let packed = owner | U256::from(*epoch) << 160;
            self.put(key_of(*vault, Self::slot(10)), packed).await;
        }
    }

    /// A slash in a state, and what vaults have made of it.
    async fn slash(
        &self,
        id: u64,
        operator: Address,
        capture: u64,
        state: u8,
        vaults: &[(Address, u8)],
    ) {
        let entry = key_of(id, Self::slot(11));
        let owner: U256 = operator.into_word().into();
        let fraction = U256::from(500_000_000u32);
        let packed =
            owner | U256::from(capture) << 160 | U256::from(state) << 208 | fraction << 224;
        self.put(entry, packed).await;
        self.put(entry + U256::from(1), fraction).await;
        let list = entry + U256::from(2);
        self.put(list, U256::from(vaults.len())).await;
        let first = U256::from_be_bytes(keccak256(list.abi_encode()).0);
        for (index, (vault, state)) in vaults.iter().enumerate() {
            let at = first + U256::from(3 * index);
            let name: U256 = vault.into_word().into();
            self.put(at, name | U256::from(capture) << 160).await;
            self.put(at + U256::from(1), U256::from(*state)).await;
        }
    }
}

/// The Router gets another Middleware, as governance does it.
async fn set_middleware(network: &Network, middleware: Address) {
    let router = network.router.address();
    let owner = network
        .user
        .call(router, &Router::ownerCall {})
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
    tell(
        Router::setMiddlewareCall {
            newMiddleware: middleware,
        }
        .abi_encode(),
    )
    .await;
    let provider = network.user.provider();
    provider
        .anvil_increase_time(2 * 24 * 3_600 + 1)
        .await
        .unwrap();
    provider.anvil_mine(Some(1), None).await.unwrap();
    tell(
        Router::applyMiddlewareCall {
            newMiddleware: middleware,
        }
        .abi_encode(),
    )
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn slashes_without_a_middleware_were_refused() {
    let network = Network::start(AnvilConfig::default(), &[1]).await;
    let url = network.anvil.http();
    let facts = reader(&network, &[&url])
        .read(head(&network).await, &asks(0, 16, &[3, 1]))
        .await
        .unwrap();
    assert_eq!(
        facts,
        [fact(3, SlashFate::Refused), fact(1, SlashFate::Refused)]
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn each_state_of_a_slash_has_its_fate() {
    const EPOCH: u64 = 10_000;
    let network = Network::start(AnvilConfig::default(), &[1]).await;
    let artifact = Artifact::middleware().unwrap();
    let middleware = network
        .deployer
        .deploy("the Middleware", &artifact, &[])
        .await
        .unwrap();
    set_middleware(&network, middleware).await;
    let storage = Storage {
        network: &network,
        middleware,
    };
    let provider = network.user.provider();
    let time = async || {
        let head = alloy::eips::BlockId::latest();
        let block = alloy::providers::Provider::get_block(provider, head).await;
        block.unwrap().unwrap().header.timestamp
    };
    let capture = time().await;
    let operator = Address::repeat_byte(0x0b);
    let slow_operator = Address::repeat_byte(0x0c);
    let [one, other, slow] = [1, 2, 3].map(Address::repeat_byte);
    storage
        .vaults(operator, &[(one, EPOCH), (other, EPOCH / 2)])
        .await;
    storage
        .vaults(slow_operator, &[(one, EPOCH), (slow, 3 * EPOCH)])
        .await;
    // 0 is not known. Vaults: 0 open, 1 executed, 2 vetoed, 3 expired.
    let slash = async |id, operator, state, vaults: &[(Address, u8)]| {
        storage.slash(id, operator, capture, state, vaults).await;
    };
    slash(1, operator, 2, &[(one, 1), (other, 1)]).await;
    slash(2, operator, 4, &[]).await;
    slash(3, operator, 3, &[(one, 2), (other, 2)]).await;
    slash(4, operator, 1, &[(one, 0), (other, 0)]).await;
    slash(5, operator, 1, &[(one, 0), (other, 1)]).await;
    slash(6, operator, 1, &[]).await;
    slash(7, slow_operator, 1, &[(one, 0)]).await;
    provider.anvil_mine(Some(1), None).await.unwrap();
    let url = network.anvil.http();
    let reader = reader(&network, &[&url]);
    let ids: Vec<u64> = (0..8).collect();
    let request = asks(0, 16, &ids);
    let read = async || reader.read(head(&network).await, &request).await.unwrap();
    let closed = [
        fact(0, SlashFate::Refused),
        fact(1, SlashFate::Executed),
        fact(2, SlashFate::Executed),
        fact(3, SlashFate::Vetoed),
    ];
    assert_eq!(read().await, closed);

    // At the last second of the longer epoch the vault could still pay.
    let wait = async |until: u64| {
        provider
            .anvil_set_next_block_timestamp(until)
            .await
            .unwrap();
        provider.anvil_mine(Some(1), None).await.unwrap();
    };
    wait(capture + EPOCH).await;
    assert_eq!(read().await, closed);
    wait(capture + EPOCH + 1).await;
    let mut all = closed.to_vec();
    all.extend([
        fact(4, SlashFate::Refused),
        fact(5, SlashFate::Executed),
        fact(6, SlashFate::Refused),
    ]);
    assert_eq!(read().await, all);
    // A vault that was not asked yet can be, as long as it pays.
    wait(capture + 3 * EPOCH + 1).await;
    all.push(fact(7, SlashFate::Refused));
    assert_eq!(read().await, all);
}
