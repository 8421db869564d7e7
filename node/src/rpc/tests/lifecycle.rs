//! `gear_subscribeRounds` and `gear_subscribeMessage` over WebSocket.

use super::{injected::signed_ping, *};
use gear_exe_primitives::native::SigningForm;

/// One with programs, whose hub knows them.
async fn start() -> Node {
    let node = Node::with_programs().await;
    node.lifecycle.refresh();
    node
}

async fn subscribe(ws: &mut Ws, method: &str, params: Value) -> u64 {
    ws.send(1, method, params);
    let answer = ws.frame().await;
    let subscription = answer["result"].as_u64();
    subscription.unwrap_or_else(|| panic!("{answer}"))
}

async fn follow(ws: &mut Ws, id: MessageId, cursor: Option<&Value>) -> u64 {
    let id_of = subscribe(ws, "gear_subscribeMessage", json!([id.0, cursor])).await;
    assert!((1_000_000..1 << 53).contains(&id_of), "{id_of}");
    id_of
}

/// The next notification of a subscription, which must have this level.
async fn told(ws: &mut Ws, subscription: u64, level: &str) -> Value {
    let mut frame = ws.frame().await;
    assert_eq!(frame["params"]["subscription"], subscription, "{frame}");
    let result = frame["params"]["result"].take();
    assert_eq!(result["level"], level, "{result}");
    result
}

/// That nothing was sent before the answer to this question.
async fn silent(ws: &mut Ws) {
    ws.send(99, "version", json!([]));
    let frame = ws.frame().await;
    assert_eq!(frame["id"], 99, "{frame}");
}

fn batch(last_round: u64) -> AppliedBatch {
    AppliedBatch {
        nonce: 1,
        digest: hash(0xd0, 1),
        last_round,
        last_round_hash: hash(0xc0, last_round),
        ..Default::default()
    }
}

impl Node {
    fn finalize(&self, number: u64) {
        self.chain.0.lock().finalized = number;
        self.lifecycle.refresh();
    }

    fn commit(&self, last_round: u64) {
        self.chain.0.lock().router = batch(last_round);
        self.lifecycle.refresh();
    }

    fn settle(&self, last_round: u64) {
        {
            let mut said = self.chain.0.lock();
            said.ethereum_final = anchor(last_round + 1);
            said.held
                .insert(anchor(last_round + 1).hash, batch(last_round));
        }
        self.lifecycle.refresh();
    }

    /// Takes the message of this round, the next one, through all levels. Returns what a subscription tells of it.
    async fn live(&self, ws: &mut Ws, subscription: u64) -> Vec<Value> {
        let number = self.holder.best().unwrap().block.number;
        let mut all = vec![told(ws, subscription, "executed").await];
        all.push(told(ws, subscription, "certified").await);
        self.finalize(number);
        all.push(told(ws, subscription, "finalized").await);
        self.commit(number);
        all.push(told(ws, subscription, "committed").await);
        self.settle(number);
        all.push(told(ws, subscription, "settled").await);
        all
    }
}

#[tokio::test]
async fn rounds_come_level_by_level() {
    let node = start().await;
    let mut ws = node.ws().await;
    let with = subscribe(&mut ws, "gear_subscribeRounds", json!([true])).await;
    let mut other = node.ws().await;
    let without = subscribe(&mut other, "gear_subscribeRounds", json!([])).await;
    let round = node.holder.execute(vec![
        message(PING, 3, b"PING", 0),
        message(TROUBLE, 4, b"BUMP", 0),
    ]);
    let mut expected = json!({
        "level": "executed",
        "block": {"number": 3, "hash": round.block.hash},
        "anchor": {"number": 3, "hash": round.anchor.hash},
        "outcome": round.outcome.root(),
    });
    let mut before = 0;
    for level in ["executed", "certified", "finalized"] {
        if level == "finalized" {
            // Those from before are not told.
            node.finalize(3);
        }
        let mut one = told(&mut ws, with, level).await;
        let at = one["at"].take().as_u64().unwrap();
        assert!(at >= before);
        before = at;
        one.as_object_mut().unwrap().remove("at");
        if level == "executed" {
            assert_eq!(one["messages"], json!([id(3).0, id(4).0]));
            one.as_object_mut().unwrap().remove("messages");
        }
        expected["level"] = json!(level);
        assert_eq!(one, expected);
        let mut one = told(&mut other, without, level).await;
        one.as_object_mut().unwrap().remove("at");
        assert_eq!(one, expected);
    }
    silent(&mut ws).await;
    ws.send(2, "gear_unsubscribeRounds", json!([with]));
    assert_eq!(ws.frame().await["result"], true);
    node.holder.execute(vec![]);
    told(&mut other, without, "executed").await;
    silent(&mut ws).await;
}

/// The test and the server share one thread, so nothing is read while the rounds are executed: more than the channel holds.
#[tokio::test]
async fn a_reader_of_rounds_that_is_too_slow_is_told_so_at_last() {
    let (observer, _) = Observer::start(ObserverConfig::new(Vec::new(), 31337, ROUTER));
    let node = Node::with(observer, 4).await;
    node.add_programs();
    node.lifecycle.refresh();
    let mut ws = node.ws().await;
    let subscription = subscribe(&mut ws, "gear_subscribeRounds", json!([])).await;
    for _ in 0..9 {
        node.holder.execute(vec![]);
        node.lifecycle.refresh();
    }
    let frame = ws.frame().await;
    assert_eq!(frame["params"]["subscription"], subscription, "{frame}");
    let error = &frame["params"]["error"];
    assert_eq!(error["code"], 8000, "{frame}");
    let says = error["data"].as_str().unwrap();
    assert!(says.contains("read faster"), "{says}");
    silent(&mut ws).await;
}

#[tokio::test]
async fn an_ethereum_message_is_followed_to_its_end_and_can_be_resumed_anywhere() {
    let node = start().await;
    let mut ws = node.ws().await;
    let subscription = follow(&mut ws, id(3), None).await;
    silent(&mut ws).await;
    node.holder.execute(vec![
        message(TROUBLE, 4, b"BUMP", 0),
        message(PING, 3, b"PING", 0),
    ]);
    let all = node.live(&mut ws, subscription).await;
    // It has ended.
    ws.send(2, "gear_unsubscribeMessage", json!([subscription]));
    assert_eq!(ws.frame().await["result"], false);

    // The status says the same.
    let status = node.ask("gear_messageStatus", json!([id(3).0])).await;
    assert_eq!(status["level"], "settled");
    for part in [
        "block",
        "anchor",
        "receipt",
        "proof",
        "outcome_root",
        "state_root",
    ] {
        assert!(!status[part].is_null(), "{part}");
        assert_eq!(all[0][part], status[part], "{part}");
    }
    assert_eq!(all[1]["certificate"], status["certificate"]);
    assert_eq!(all[1]["certificate"]["outcome"], all[0]["outcome_root"]);
    assert_eq!(all[3]["batch"]["digest"], json!(hash(0xd0, 1)));
    assert_eq!(all[4]["batch"], status["batch"]);
    let times: Vec<u64> = all.iter().map(|one| one["at"].as_u64().unwrap()).collect();
    assert!(times.is_sorted(), "{times:?}");

    // From the beginning, and from each cursor on, exactly what follows.
    for read in 0..=all.len() {
        let cursor = read.checked_sub(1).map(|last| &all[last]["cursor"]);
        let subscription = follow(&mut ws, id(3), cursor).await;
        for one in &all[read..] {
            let level = one["level"].as_str().unwrap();
            assert_eq!(&told(&mut ws, subscription, level).await, one);
        }
        silent(&mut ws).await;
    }
    // A cursor of another message, or none at all, is the beginning.
    for cursor in [json!("zz"), all[4]["cursor"].clone()] {
        let subscription = follow(&mut ws, id(4), Some(&cursor)).await;
        for level in ["executed", "certified", "finalized", "committed", "settled"] {
            told(&mut ws, subscription, level).await;
        }
    }
}

#[tokio::test]
async fn a_native_message_waits_first() {
    let node = start().await;
    let mut ws = node.ws().await;
    let signed = signed_ping(1, SigningForm::Typed);
    let id = signed.id(&DOMAIN);
    let subscription = follow(&mut ws, id, None).await;
    silent(&mut ws).await;
    let sent = serde_json::to_value(&signed).unwrap();
    assert_eq!(
        node.ask("injected_sendTransaction", json!([sent])).await,
        "Accept"
    );
    let waiting = told(&mut ws, subscription, "waiting").await;
    assert!(waiting["at"].is_u64());
    node.holder.execute(vec![]);
    let all = node.live(&mut ws, subscription).await;
    assert_eq!(all[0]["receipt"]["message_id"], json!(id.0));

    // Whoever comes late is told the same.
    let late = follow(&mut ws, id, None).await;
    assert_eq!(told(&mut ws, late, "waiting").await, waiting);
    for one in &all {
        let level = one["level"].as_str().unwrap();
        assert_eq!(&told(&mut ws, late, level).await, one);
    }
}

#[tokio::test]
async fn what_ethereum_has_taken_back_is_superseded() {
    let node = start().await;
    let mut ws = node.ws().await;
    let base = node.holder.best();
    let native = signed_ping(1, SigningForm::Versioned);
    let native_id = native.id(&DOMAIN);
    let subscription = follow(&mut ws, id(3), None).await;
    let mut other = node.ws().await;
    let of_native = follow(&mut other, native_id, None).await;

    node.holder.natives.lock().pool.push(native.clone());
    let first = node.holder.execute(vec![message(PING, 3, b"PING", 0)]);
    node.holder.execute(vec![]);
    told(&mut ws, subscription, "executed").await;
    let certified = told(&mut ws, subscription, "certified").await;
    told(&mut other, of_native, "waiting").await;
    told(&mut other, of_native, "executed").await;
    told(&mut other, of_native, "certified").await;
    node.finalize(3);
    told(&mut ws, subscription, "finalized").await;
    told(&mut other, of_native, "finalized").await;

    // Another branch without the message from Ethereum. The native one is executed again.
    node.holder.natives.lock().pool.push(native);
    let again = node.holder.execute_on(base, anchor(50), vec![]);
    let superseded = told(&mut ws, subscription, "superseded").await;
    let block =
        |round: &ExecutedRound| json!({"number": round.block.number, "hash": round.block.hash});
    assert_eq!(superseded["block"], block(&first));
    assert!(superseded["at"].is_u64());
    assert_eq!(
        node.ask("gear_messageStatus", json!([id(3).0])).await,
        Value::Null
    );
    silent(&mut ws).await;
    let gone = told(&mut other, of_native, "superseded").await;
    assert_eq!(gone["block"], block(&first));
    let executed = told(&mut other, of_native, "executed").await;
    assert_eq!(executed["block"], block(&again));
    told(&mut other, of_native, "certified").await;

    // Then it comes there as well.
    let there = node.holder.execute(vec![message(PING, 3, b"PING", 0)]);
    let executed = told(&mut ws, subscription, "executed").await;
    assert_eq!(executed["block"], block(&there));
    told(&mut ws, subscription, "certified").await;

    // Who has read before is told what was contradicted, and who has not is not.
    for (cursor, levels) in [
        (None, &["executed", "certified"][..]),
        (
            Some(&certified["cursor"]),
            &["superseded", "executed", "certified"][..],
        ),
        (Some(&superseded["cursor"]), &["executed", "certified"][..]),
        (Some(&executed["cursor"]), &["certified"][..]),
    ] {
        let mut ws = node.ws().await;
        let subscription = follow(&mut ws, id(3), cursor).await;
        for level in levels {
            told(&mut ws, subscription, level).await;
        }
        silent(&mut ws).await;
    }
}

#[tokio::test]
async fn a_cursor_from_a_node_that_is_ahead_contradicts_nothing() {
    let (ahead, behind) = (start().await, start().await);
    let mut ws = ahead.ws().await;
    let subscription = follow(&mut ws, id(3), None).await;
    let event = || vec![message(PING, 3, b"PING", 0)];
    ahead.holder.execute(event());
    told(&mut ws, subscription, "executed").await;
    let certified = told(&mut ws, subscription, "certified").await;

    let mut ws = behind.ws().await;
    let subscription = follow(&mut ws, id(3), Some(&certified["cursor"])).await;
    silent(&mut ws).await;
    behind.holder.execute(event());
    behind.finalize(3);
    told(&mut ws, subscription, "finalized").await;
}

#[tokio::test]
async fn what_will_never_be_executed_is_purged_with_its_reason() {
    let node = start().await;
    let mut ws = node.ws().await;
    // Refused at once, and asked for before or later.
    let refused = signed_ping(1, SigningForm::Typed);
    let id = refused.id(&DOMAIN);
    let before = follow(&mut ws, id, None).await;
    silent(&mut ws).await;
    node.holder.natives.lock().refused = Some(PurgeReason::OverQuota);
    let sent = serde_json::to_value(&refused).unwrap();
    node.ask("injected_sendTransaction", json!([sent])).await;
    let purged = told(&mut ws, before, "purged").await;
    assert_eq!(purged["reason"], 7);
    let says = purged["message"].as_str().unwrap();
    assert!(says.contains("too many"), "{says}");
    let later = follow(&mut ws, id, None).await;
    assert_eq!(told(&mut ws, later, "purged").await, purged);
    silent(&mut ws).await;

    // It waits, and its window closes.
    let waits = signed_ping(2, SigningForm::Typed);
    let subscription = follow(&mut ws, waits.id(&DOMAIN), None).await;
    let sent = serde_json::to_value(&waits).unwrap();
    node.ask("injected_sendTransaction", json!([sent])).await;
    told(&mut ws, subscription, "waiting").await;
    {
        let mut natives = node.holder.natives.lock();
        natives.pool.clear();
        natives.closed = Some(PurgeReason::Outdated);
    }
    node.holder.execute(vec![]);
    let purged = told(&mut ws, subscription, "purged").await;
    assert_eq!(purged["reason"], 1);
    silent(&mut ws).await;
}

#[tokio::test]
async fn bad_subscriptions_are_refused() {
    let node = start().await;
    let mut ws = node.ws().await;
    for (method, params) in [
        ("gear_subscribeMessage", json!(["0x12"])),
        ("gear_subscribeMessage", json!([])),
        ("gear_subscribeMessage", json!([id(1).0, 7])),
        ("gear_subscribeMessage", json!([id(1).0, "0".repeat(257)])),
        ("gear_subscribeRounds", json!(["yes"])),
        ("gear_subscribeRounds", json!({"message": true})),
    ] {
        ws.send(1, method, params);
        let frame = ws.frame().await;
        assert_eq!(frame["error"]["code"], -32602, "{frame}");
    }
}
