//! Ethereum's blocks over HTTP, from a real observer of a real Ethereum node.

use super::*;
use alloy::{
    primitives::{Address, B256, LogData, hex},
    providers::{Provider, ProviderBuilder, ext::AnvilApi},
    rpc::types::TransactionRequest,
    sol_types::SolEvent,
};
use gear_exe_ethereum::{
    abi::{Mirror, Router},
    dev::{AnvilConfig, AnvilNode},
    observer::{Alarm, ObserverEvent},
};
use std::time::Duration;

/// Emits what it is called with: two topics, then the data.
const EMITTER: [u8; 21] = hex!("60403603806040600037600035602035916000a200");

fn calldata(log: LogData) -> Vec<u8> {
    let [first, second] = log.topics() else {
        panic!("two topics")
    };
    [first.as_slice(), second.as_slice(), &log.data].concat()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn headers_and_events() {
    let anvil = AnvilNode::spawn(AnvilConfig::default()).await.unwrap();
    let mut config = ObserverConfig::new(vec![anvil.http()], 31337, ROUTER);
    config.poll = Duration::from_millis(20);
    let (observer, mut news) = Observer::start(config);
    let node = Node::with(observer, 64).await;

    let provider = ProviderBuilder::new().connect(&anvil.http()).await.unwrap();
    let from = provider.get_accounts().await.unwrap()[0];
    let stranger = H160::repeat_byte(0x77);
    for address in [ROUTER, PING, stranger] {
        let code = EMITTER.to_vec().into();
        let address = Address::from(address.0);
        provider.anvil_set_code(address, code).await.unwrap();
    }
    let message = Mirror::MessageQueueingRequested {
        id: B256::repeat_byte(1),
        source: Address::from(USER.0),
        payload: b"PING".to_vec().into(),
        value: 1 << 60,
        callReply: true,
    }
    .encode_log_data();
    let created = Router::ProgramCreated {
        actorId: Address::from(PING.0),
        codeId: B256::repeat_byte(2),
    }
    .encode_log_data();
    let announced = Router::CodeBlobsAnnounced {
        codeId: B256::repeat_byte(3),
        requestId: B256::repeat_byte(4),
        blobHashes: vec![B256::repeat_byte(5)],
    }
    .encode_log_data();
    provider.anvil_set_auto_mine(false).await.unwrap();
    for (to, log) in [
        (ROUTER, announced),
        (ROUTER, created),
        (PING, message.clone()),
        (stranger, message),
    ] {
        let request = TransactionRequest::default()
            .from(from)
            .to(Address::from(to.0))
            .input(calldata(log).into());
        // Not waited for: it is mined below, with the others.
        let _pending = provider.send_transaction(request).await.unwrap();
    }
    provider.anvil_mine(Some(1), None).await.unwrap();
    let head = provider
        .get_block(alloy::eips::BlockId::latest())
        .await
        .unwrap()
        .unwrap();
    let hash = H256(head.header.hash.0);
    loop {
        if let ObserverEvent::Head(change) = news.recv().await.unwrap()
            && change.added.last().map(|block| block.hash) == Some(hash)
        {
            break;
        }
    }

    let expected = json!([hash, {
        "height": head.header.number,
        "timestamp": head.header.timestamp,
        "parent_hash": H256(head.header.parent_hash.0),
    }]);
    for params in [
        json!([]),
        json!([null]),
        json!([hash]),
        json!({"hash": hash}),
    ] {
        assert_eq!(node.ask("block_header", params).await, expected);
    }
    let expected = json!([
        {"Router": {"CodeValidationRequested": {
            "code_id": H256::repeat_byte(3),
            "timestamp": head.header.timestamp,
            "tx_hash": null,
            "request_id": H256::repeat_byte(4),
            "blob_hashes": [H256::repeat_byte(5)],
        }}},
        {"Router": {"ProgramCreated": {
            "actor_id": hexed(PING),
            "code_id": H256::repeat_byte(2),
        }}},
        {"Mirror": {
            "actor_id": hexed(PING),
            "event": {"MessageQueueingRequested": {
                "id": H256::repeat_byte(1),
                "source": hexed(USER),
                "payload": [80, 73, 78, 71],
                "value": (1u64 << 60).to_string(),
                "call_reply": true,
            }},
        }},
    ]);
    for params in [json!([]), json!([hash])] {
        assert_eq!(node.ask("block_events", params).await, expected);
    }
    let unknown = H256::repeat_byte(9);
    for method in ["block_header", "block_events"] {
        assert_eq!(
            node.refuse(method, json!([unknown])).await,
            json!({
                "code": 8000,
                "message": "Database error",
                "data": format!(
                    "the Ethereum node does not have block {unknown:?} (yet, or any more)"
                ),
            })
        );
    }
    // The node goes away: the call fails, the server stays.
    drop(anvil);
    while !matches!(
        news.recv().await,
        Some(ObserverEvent::Alarm(Alarm::Failing { .. }))
    ) {}
    let error = node.refuse("block_header", json!([unknown])).await;
    assert_eq!(error["message"], "Internal error");
    assert_eq!(node.ask("version", json!([])).await, "0.1.0");
}
