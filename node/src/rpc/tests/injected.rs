//! Native messages over the wire, as existing clients send and read them.

use super::*;
use gear_exe_primitives::{
    message::ReplyCode,
    native::{ClientReceipt, NativeTransaction, SigningForm},
    signature::CompactSignature,
};

const USER_SECRET: [u8; 32] = [0x55; 32];

fn transaction(salt: u8) -> NativeTransaction {
    NativeTransaction {
        destination: PING,
        payload: b"PING".to_vec(),
        value: 0,
        reference_block: H256::repeat_byte(0xe0),
        salt: vec![salt; 4],
    }
}

fn signed(transaction: NativeTransaction, form: SigningForm) -> SignedNative {
    let digest = transaction.digest(form, &DOMAIN);
    SignedNative {
        signature: CompactSignature::sign(&USER_SECRET, digest).unwrap(),
        source: address_of_secret(&USER_SECRET).unwrap(),
        transaction,
        form,
    }
}

/// A `PING` of the user.
pub(super) fn signed_ping(salt: u8, form: SigningForm) -> SignedNative {
    signed(transaction(salt), form)
}

/// Sends it and watches. Returns the subscription's id.
async fn watch(ws: &mut Ws, message: &SignedNative) -> u64 {
    ws.send(
        1,
        "injected_sendTransactionAndWatch",
        json!([written(message)]),
    );
    let answer = ws.frame().await;
    let subscription = answer["result"].as_u64();
    let subscription = subscription.unwrap_or_else(|| panic!("{answer}"));
    assert!(subscription >= 1_000_000);
    subscription
}

async fn notified(ws: &mut Ws, subscription: u64) -> Value {
    let frame = ws.frame().await;
    assert_eq!(frame["params"]["subscription"], subscription, "{frame}");
    frame["params"]["result"].clone()
}

fn written(signed: &SignedNative) -> Value {
    serde_json::to_value(signed).unwrap()
}

/// The receipt's signature is that of the validator, over what clients compute.
fn check(receipt: &Value, id: MessageId, payload: &[u8]) {
    let said = ClientReceipt::Promise {
        id,
        payload,
        value: 0,
        code: ReplyCode::SUCCESS_MANUAL,
    };
    let validator = address_of_secret(&VALIDATOR).unwrap();
    assert_eq!(receipt["address"], json!(validator));
    let promise = &receipt["data"]["Promise"];
    assert_eq!(promise["tx_hash"], json!(id.0));
    assert_eq!(
        promise["reply"],
        json!({ "payload": hexed(payload), "value": 0, "code": "0x00010000" })
    );
    assert_eq!(signer(receipt, said.digest()), validator);
}

fn signer(receipt: &Value, digest: H256) -> H160 {
    let signature = receipt["signature"].as_str().unwrap();
    let rsv = hex::decode(signature.trim_start_matches("0x")).unwrap();
    CompactSignature::from_rsv(&rsv.try_into().unwrap())
        .unwrap()
        .recover(digest)
        .unwrap()
}

#[tokio::test]
async fn a_message_is_answered_in_every_form_once_its_round_is_certified() {
    let node = Node::with_programs().await;
    let mut ws = node.ws().await;
    for (number, form) in [
        SigningForm::Versioned,
        SigningForm::Legacy,
        SigningForm::Typed,
    ]
    .into_iter()
    .enumerate()
    {
        let message = signed(transaction(number as u8), form);
        let id = message.id(&DOMAIN);
        let subscription = watch(&mut ws, &message).await;
        assert_eq!(
            node.ask("injected_getTransactionReceipt", json!([id.0]))
                .await,
            Value::Null
        );
        node.holder.execute(Vec::new());
        let receipt = notified(&mut ws, subscription).await;
        check(&receipt, id, b"PONG");
        assert_eq!(
            node.ask("injected_getTransactionReceipt", json!([id.0]))
                .await,
            receipt
        );
        let stored = node
            .ask("injected_getTransactions", json!([[id.0, H256::zero()]]))
            .await;
        assert_eq!(stored[0]["data"]["payload"], hexed(b"PING"));
        assert_eq!(stored[0]["address"], json!(message.source));
        assert_eq!(stored[1], Value::Null);
    }
}

#[tokio::test]
async fn what_is_accepted_or_refused_is_said_at_once() {
    let node = Node::with_programs().await;
    let good = signed(transaction(1), SigningForm::Versioned);
    assert_eq!(
        node.ask("injected_sendTransaction", json!([written(&good)]))
            .await,
        "Accept"
    );
    node.holder.natives.lock().refused = Some(PurgeReason::UnknownDestination);
    assert_eq!(
        node.ask("injected_sendTransaction", json!([written(&good)]))
            .await,
        json!({ "Reject": { "reason": "there is no program with this address" } })
    );

    let mut other = written(&good);
    other["address"] = json!(H160::repeat_byte(1));
    let error = node
        .refuse("injected_sendTransaction", json!([other]))
        .await;
    assert_eq!(
        error,
        json!({ "code": -32602, "message": "Invalid params", "data": "Address mismatch" })
    );
    let mut short = written(&good);
    short["signature"] = json!("0x00");
    for bad in [short, json!({}), json!("0x"), json!({ "data": {} })] {
        let error = node.refuse("injected_sendTransaction", json!([bad])).await;
        assert_eq!(error["code"], -32602, "{error}");
    }
    let many = vec![H256::zero(); 101];
    let error = node.refuse("injected_getTransactions", json!([many])).await;
    assert_eq!(
        error["data"],
        "Too many transaction ids requested. Maximum is 100."
    );
}

#[tokio::test]
async fn what_will_never_be_executed_gets_a_receipt_that_says_why() {
    let node = Node::with_programs().await;
    let mut ws = node.ws().await;
    let purged = |receipt: &Value, id: MessageId, reason: PurgeReason| {
        assert_eq!(
            receipt["data"],
            json!({ "Purged": { "tx_hash": id.0, "reason": reason as u8 } })
        );
        let said = ClientReceipt::Purged { id, reason };
        assert_eq!(
            signer(receipt, said.digest()),
            address_of_secret(&VALIDATOR).unwrap()
        );
    };
    // Refused at once.
    let message = signed(transaction(1), SigningForm::Versioned);
    node.holder.natives.lock().refused = Some(PurgeReason::UnknownReferenceBlock);
    let subscription = watch(&mut ws, &message).await;
    let receipt = notified(&mut ws, subscription).await;
    purged(
        &receipt,
        message.id(&DOMAIN),
        PurgeReason::UnknownReferenceBlock,
    );
    // Refused while it waits: no block has taken it, and now its window is closed.
    let message = signed(transaction(2), SigningForm::Versioned);
    let subscription = watch(&mut ws, &message).await;
    {
        let mut natives = node.holder.natives.lock();
        natives.pool.clear();
        natives.closed = Some(PurgeReason::Outdated);
    }
    node.holder.execute(Vec::new());
    let receipt = notified(&mut ws, subscription).await;
    purged(&receipt, message.id(&DOMAIN), PurgeReason::Outdated);
}

#[tokio::test]
async fn value_comes_out_of_a_deposit() {
    let node = Node::with_programs().await;
    let with_value = |salt, form| {
        let mut message = transaction(salt);
        message.value = 5;
        signed(message, form)
    };
    let source = address_of_secret(&USER_SECRET).unwrap();

    // Without one, existing clients are told so in words that they know, whichever way they send.
    let words = json!({
        "code": 8000, "message": "Bad request",
        "data": "Injected transactions with non-zero value are not supported without a deposit at the Router",
    });
    for form in [SigningForm::Versioned, SigningForm::Legacy] {
        let bad = json!([written(&with_value(1, form))]);
        let error = node.refuse("injected_sendTransaction", bad.clone()).await;
        assert_eq!(error, words);
        let mut ws = node.ws().await;
        ws.send(1, "injected_sendTransactionAndWatch", bad);
        assert_eq!(ws.frame().await["error"], words);
    }
    let deposit = || node.ask("gear_deposit", json!([source]));
    assert_eq!(deposit().await["value"], 0);

    let deposited = RouterEvent::Deposited {
        account: source,
        value: 1 << 60,
    };
    let round = node.holder.execute(vec![EthereumEvent::Router(deposited)]);
    let found = deposit().await;
    assert_eq!(found["address"], json!(source));
    assert_eq!(found["value"], (1u64 << 60).to_string());
    assert_eq!(found["block"]["hash"], json!(round.block.hash));
    assert_eq!(found["anchor"]["number"], round.anchor.number);
    let mut ws = node.ws().await;
    for (salt, form) in [
        (2, SigningForm::Versioned),
        (3, SigningForm::Legacy),
        (4, SigningForm::Typed),
    ] {
        let message = with_value(salt, form);
        let subscription = watch(&mut ws, &message).await;
        node.holder.execute(Vec::new());
        let receipt = notified(&mut ws, subscription).await;
        check(&receipt, message.id(&DOMAIN), b"PONG");
    }
    assert_eq!(deposit().await["value"], ((1u64 << 60) - 15).to_string());

    // What is not covered ends with a reason in its receipt.
    let mut message = transaction(5);
    message.value = 1 << 60;
    let message = signed(message, SigningForm::Typed);
    let subscription = watch(&mut ws, &message).await;
    node.holder.execute(Vec::new());
    let receipt = notified(&mut ws, subscription).await;
    let reply = &receipt["data"]["Promise"]["reply"];
    assert_eq!(
        (&reply["code"], &reply["value"]),
        (&json!("0x01040000"), &json!(0))
    );
    let says = b"the sender's deposit is less than the message's value";
    assert_eq!(reply["payload"], hexed(says));
    assert_eq!(deposit().await["value"], ((1u64 << 60) - 15).to_string());
}
