//! Each way in which a batch can be wrong, by the Router's own name for it.

use crate::common::Network;
use alloy::sol_types::SolCall;
use gear_exe_ethereum::{
    abi::Router,
    batch::{Refusal, RefusalClass, calldata},
    client::{Transaction, Wallet, forwarded},
    dev::AnvilConfig,
    revert::Revert,
};
use gear_exe_primitives::{H256, batch::Batch, signature::CompactSignature};

/// What a relayer makes of it now.
async fn refusal(network: &Network, revert: &Revert) -> Refusal {
    let head = network.user.head().await.unwrap();
    Refusal::decode(&revert.data, head.number + 1)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn wrong_batches_are_refused_by_name() {
    let network = Network::start(AnvilConfig::default(), &[10, 10, 10, 1]).await;
    network.commit(Vec::new(), Vec::new()).await;
    let good = network.batch(Vec::new(), Vec::new()).await;
    let with = |change: &dyn Fn(&mut Batch)| {
        let mut batch = good.clone();
        change(&mut batch);
        batch
    };
    let all = [0, 1, 2, 3];
    let mut of_other_chain = network.router.domain();
    of_other_chain.chain_id = 5;
    let foreign = {
        let digest = good.header.digest(&of_other_chain);
        let signatures: Vec<u8> = network
            .secrets
            .iter()
            .flat_map(|secret| CompactSignature::sign(secret, digest).unwrap().0)
            .collect();
        calldata(&good, &[0b1111], &signatures)
    };
    let mut wrong_signature = network.signed(&good, &all);
    let last = wrong_signature.len() - 1;
    wrong_signature[last] ^= 1;
    let cases = [
        ("InvalidSignature", RefusalClass::Fatal, wrong_signature),
        ("InvalidSignature", RefusalClass::Fatal, foreign),
        (
            "NotEnoughHeads",
            RefusalClass::Fatal,
            network.signed(&good, &[0, 1]),
        ),
        (
            "InvalidGenesis",
            RefusalClass::Fatal,
            network.signed(&with(&|batch| batch.header.genesis = H256::zero()), &all),
        ),
        (
            "InvalidParent",
            RefusalClass::Stale,
            network.signed(&with(&|batch| batch.header.parent = H256::zero()), &all),
        ),
        (
            "InvalidNonce",
            RefusalClass::Already,
            network.signed(&with(&|batch| batch.header.nonce = 1), &all),
        ),
        (
            "InvalidNonce",
            RefusalClass::Early,
            network.signed(&with(&|batch| batch.header.nonce = 3), &all),
        ),
        (
            "InvalidSet",
            RefusalClass::Stale,
            network.signed(&with(&|batch| batch.header.set_id = 2), &all),
        ),
        (
            "BatchExpired",
            RefusalClass::Stale,
            network.signed(&with(&|batch| batch.header.expiry = 1), &all),
        ),
        (
            "AnchorNotAncestor",
            RefusalClass::Stale,
            network.signed(
                &with(&|batch| batch.header.anchor_hash = H256::repeat_byte(1)),
                &all,
            ),
        ),
        (
            "AnchorBackwards",
            RefusalClass::Fatal,
            network.signed(&with(&|batch| batch.header.anchor_number = 0), &all),
        ),
        (
            "RoundBackwards",
            RefusalClass::Fatal,
            network.signed(&with(&|batch| batch.header.last_round = 0), &all),
        ),
        (
            "InvalidOutboxCursor",
            RefusalClass::Fatal,
            network.signed(&with(&|batch| batch.outbox_end = 9), &all),
        ),
    ];
    for (name, class, data) in cases {
        let error = network.submit(data).await.unwrap_err();
        let revert = error.revert().unwrap_or_else(|| panic!("{name}: {error}"));
        assert_eq!(revert.name, name);
        assert_eq!(refusal(&network, revert).await.class, class, "{name}");
    }
    network.submit(network.signed(&good, &all)).await.unwrap();
    let error = network
        .submit(network.signed(&good, &all))
        .await
        .unwrap_err();
    let again = refusal(&network, error.revert().unwrap()).await;
    assert_eq!(again.class, RefusalClass::Already);
    // The Router's digest of what it applied is the one that was signed here.
    let last = network.router.last_batch().await.unwrap();
    assert_eq!(last.digest, good.header.digest(&network.router.domain()));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn weight_counts_beside_heads() {
    let network = Network::start(AnvilConfig::default(), &[1, 1, 1, 30]).await;
    let batch = network.batch(Vec::new(), Vec::new()).await;
    let error = network
        .submit(network.signed(&batch, &[0, 1, 2]))
        .await
        .unwrap_err();
    let revert = error.revert().unwrap();
    assert_eq!(revert.to_string(), "NotEnoughWeight(signed: 3, total: 33)");
    network
        .submit(network.signed(&batch, &[0, 1, 3]))
        .await
        .unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_owner_contract_passes_calls_on() {
    let network = Network::start(AnvilConfig::default(), &[1]).await;
    let router = network.router.address();
    let owner = network
        .user
        .call(router, &Router::ownerCall {})
        .await
        .unwrap();
    let pause = forwarded(router, &Router::pauseCall {}.abi_encode());
    let tell = |wallet: &Wallet, data| {
        let wallet = wallet.clone();
        async move {
            wallet
                .send(Transaction {
                    to: Some(owner),
                    data,
                    ..Default::default()
                })
                .await
        }
    };
    assert!(
        tell(&network.user, pause.clone()).await.is_err(),
        "only the key"
    );
    tell(&network.deployer, pause.clone()).await.unwrap();
    let batch = network.batch(Vec::new(), Vec::new()).await;
    let error = network
        .submit(network.signed(&batch, &[0]))
        .await
        .unwrap_err();
    let revert = error.revert().unwrap();
    assert_eq!(revert.name, "EnforcedPause");
    let paused = refusal(&network, revert).await;
    assert_eq!(paused.class, RefusalClass::Retry);
    // What the Router says comes through.
    let twice = tell(&network.deployer, pause).await.unwrap_err();
    assert_eq!(twice.revert().unwrap().name, "EnforcedPause");
    let unpause = forwarded(router, &Router::unpauseCall {}.abi_encode());
    tell(&network.deployer, unpause).await.unwrap();
    network.submit(network.signed(&batch, &[0])).await.unwrap();
}
