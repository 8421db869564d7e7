//! `program_subscribeBestState` over WebSocket.

use super::*;

async fn subscribe(ws: &mut Ws, params: Value) -> u64 {
    ws.send(1, "program_subscribeBestState", params);
    let answer = ws.frame().await;
    let id = answer["result"].as_u64().unwrap();
    assert_eq!(answer, json!({"jsonrpc": "2.0", "id": 1, "result": id}));
    assert!((1_000_000..1 << 53).contains(&id), "{id}");
    id
}

#[tokio::test]
async fn each_transition_once() {
    let node = Node::with_programs().await;
    let mut ws = node.ws().await;
    let subscription = subscribe(&mut ws, json!([hexed(PING)])).await;
    let other = subscribe(&mut ws, json!({"program_id": hexed(TROUBLE)})).await;
    assert_ne!(subscription, other);

    let round = node.holder.execute(vec![message(PING, 3, b"PING", 0)]);
    let state = node.holder.state_hash(PING);
    assert_eq!(
        ws.frame().await,
        json!({
            "jsonrpc": "2.0",
            "method": "program_bestState",
            "params": {
                "subscription": subscription,
                "result": {
                    "mb_hash": round.block.hash,
                    "new_state_hash": state,
                    "messages": [{
                        "id": MessageId::reply(id(3)).0,
                        "destination": hexed(USER),
                        "payload": hexed(b"PONG"),
                        "value": 0,
                        "reply_details": {"to": id(3).0, "code": "0x00010000"},
                        "call": false,
                    }],
                },
            },
        })
    );

    // A round without it, then one with both.
    node.holder.execute(vec![]);
    node.holder.execute(vec![
        message(PING, 4, b"", 0),
        message(TROUBLE, 5, b"BUMP", 0),
    ]);
    let mut told = [ws.frame().await, ws.frame().await]
        .map(|frame| frame["params"]["subscription"].as_u64().unwrap());
    told.sort();
    let mut expected = [subscription, other];
    expected.sort();
    assert_eq!(told, expected);

    ws.send(2, "program_unsubscribeBestState", json!([subscription]));
    assert_eq!(
        ws.frame().await,
        json!({"jsonrpc": "2.0", "id": 2, "result": true})
    );
    node.holder.execute(vec![
        message(PING, 6, b"PING", 0),
        message(TROUBLE, 7, b"BUMP", 0),
    ]);
    // Only the other one is told, and then nothing comes before the next answer.
    assert_eq!(ws.frame().await["params"]["subscription"], other);
    ws.send(3, "version", json!([]));
    assert_eq!(ws.frame().await["id"], 3);
    ws.send(4, "program_unsubscribeBestState", json!([subscription]));
    assert_eq!(ws.frame().await["result"], false);
}

#[tokio::test]
async fn bad_subscriptions_are_refused() {
    let node = Node::start().await;
    let mut ws = node.ws().await;
    ws.send(1, "program_subscribeBestState", json!(["0x12"]));
    assert_eq!(
        ws.frame().await,
        json!({
            "jsonrpc": "2.0",
            "id": 1,
            "error": {
                "code": -32602,
                "message": "Invalid params",
                "data": "`program_id` must be an Ethereum address: 20 bytes in hex with 0x",
            },
        })
    );
    // Over HTTP there is nobody to notify.
    let error = node
        .refuse("program_subscribeBestState", json!([hexed(PING)]))
        .await;
    assert!(error["code"].is_number());
}

/// The test and the server share one thread, so nothing is read while the rounds are executed: more than the channel holds.
#[tokio::test]
async fn one_that_fell_behind_catches_up() {
    let (observer, _) = Observer::start(ObserverConfig::new(Vec::new(), 31337, ROUTER));
    let node = Node::with(observer, 4).await;
    node.add_programs();
    let mut ws = node.ws().await;
    subscribe(&mut ws, json!([hexed(PING)])).await;
    let mut expected = Vec::new();
    for number in 3..30 {
        let round = node.holder.execute(vec![message(PING, number, b"PING", 0)]);
        expected.push((round.block.hash, node.holder.state_hash(PING)));
    }
    for (block, state) in expected {
        let result = ws.frame().await["params"]["result"].take();
        assert_eq!(result["mb_hash"], json!(block));
        assert_eq!(result["new_state_hash"], json!(state));
    }
    ws.send(2, "version", json!([]));
    assert_eq!(ws.frame().await["id"], 2);
}
