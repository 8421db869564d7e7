//! VARA as wVARA and back, the whole way: locked on the chain, minted by a batch, burned, read, voted for, and unlocked.

use super::*;
use gear_exe_ethereum::abi::Router;
use gear_exe_runtime::{
    AccountId, Balance, Bridge, Runtime, RuntimeCall, SignedPayload, UNITS, UncheckedExtrinsic,
    VERSION,
};
use polkadot_sdk::{
    frame_system,
    sc_client_api::StorageProvider,
    sc_transaction_pool_api::{TransactionPool, TransactionSource},
    sp_core::{Encode, H160, sr25519, storage::StorageKey},
    sp_runtime::{MultiSignature, OpaqueExtrinsic, generic::Era},
};

type Account = <Runtime as frame_system::Config>::AccountData;

/// What an account has.
fn account(node: &Node, of: &AccountId) -> Account {
    let best = node.client.info().best_hash;
    let key = frame_system::Account::<Runtime>::hashed_key_for(of);
    node.client
        .storage(best, &StorageKey(key))
        .unwrap()
        .map(|data| {
            type Info = frame_system::AccountInfo<gear_exe_runtime::Nonce, Account>;
            <Info as codec::Decode>::decode(&mut &data.0[..])
                .unwrap()
                .data
        })
        .unwrap_or_default()
}

/// Locked VARA, in base units.
fn held(node: &Node) -> Balance {
    account(node, &Bridge::account()).reserved
}

/// The first transaction of a development account.
fn signed(node: &Node, key: &sr25519::Pair, call: RuntimeCall) -> OpaqueExtrinsic {
    let extension = (
        frame_system::AuthorizeCall::new(),
        frame_system::CheckNonZeroSender::new(),
        frame_system::CheckSpecVersion::new(),
        frame_system::CheckTxVersion::new(),
        frame_system::CheckGenesis::new(),
        frame_system::CheckEra::from(Era::Immortal),
        frame_system::CheckNonce::from(0),
        frame_system::CheckWeight::new(),
        polkadot_sdk::pallet_transaction_payment::ChargeTransactionPayment::from(0),
        frame_system::WeightReclaim::new(),
    );
    let implicit = (
        (),
        (),
        VERSION.spec_version,
        VERSION.transaction_version,
        node.genesis,
        node.genesis,
        (),
        (),
        (),
        (),
    );
    let payload = SignedPayload::from_raw(call, extension, implicit);
    let signature = MultiSignature::Sr25519(payload.using_encoded(|bytes| key.sign(bytes)));
    let (call, extension, _) = payload.deconstruct();
    let account = AccountId::from(key.public());
    UncheckedExtrinsic::new_signed(call, account.into(), signature, extension).into()
}

/// Waits for a block after which something holds.
async fn until(node: &Node, mut holds: impl AsyncFnMut() -> bool) {
    use futures::StreamExt;
    let mut blocks = node.client.import_notification_stream();
    while !holds().await {
        blocks.next().await.expect("blocks go on");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn vara_becomes_wvara_and_comes_back() {
    let network = Network::start().await;
    let node = network.node().unwrap();
    let wallet = network.router.wallet().clone();
    let token = network.router.token().await.unwrap();
    let ferdie: AccountId = sr25519::Pair::from_string("//Ferdie", None)
        .unwrap()
        .public()
        .into();
    let backed = held(&node);
    assert_eq!(backed, 1_000_000 * UNITS);

    let path = async {
        let before = token.balance_of(wallet.address()).await.unwrap();
        let alice = sr25519::Pair::from_string("//Alice", None).unwrap();
        let lock = RuntimeCall::Bridge(pallet_bridge::Call::lock {
            to: H160(wallet.address().into_array()),
            amount: 50 * UNITS,
        });
        let best = node.client.info().best_hash;
        node.pool
            .submit_one(
                best,
                TransactionSource::External,
                signed(&node, &alice, lock),
            )
            .await
            .unwrap();
        let due = before + alloy::primitives::U256::from(50 * UNITS);
        until(&node, async || {
            token.balance_of(wallet.address()).await.unwrap() == due
        })
        .await;
        assert_eq!(held(&node), backed + 50 * UNITS);

        let had = account(&node, &ferdie).free;
        token
            .approve(network.router.address(), alloy::primitives::U256::MAX)
            .await
            .unwrap();
        for amount in [20 * UNITS, 7 * UNITS] {
            let burn = Router::burnToVaraCall {
                amount,
                account: <[u8; 32]>::from(ferdie.clone()).into(),
                deadline: Default::default(),
                v: 0,
                r: Default::default(),
                s: Default::default(),
            };
            let burn = Transaction::call("burning wVARA", network.router.address(), &burn);
            wallet.send(burn).await.unwrap();
        }
        until(&node, async || {
            account(&node, &ferdie).free == had + 27 * UNITS
        })
        .await;
        assert_eq!(held(&node), backed + 23 * UNITS);
    };
    tokio::select! {
        () = path => {}
        () = network.relay(node.client.clone(), node.batches.clone()) => unreachable!("finality ended"),
    }
    assert!(node.metrics.raised().is_empty());
}
