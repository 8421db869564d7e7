//! `gear_network` and `gear_programs`.

use super::*;

#[tokio::test]
async fn a_network_is_told_as_it_is_seen() {
    let node = Node::start().await;
    let empty = node.ask("gear_network", json!([])).await;
    assert_eq!(empty["name"], "Test");
    assert_eq!(empty["executed"], Value::Null);
    assert_eq!(empty["rounds"], json!([]));
    let programs = json!({"block": null, "programs": [], "next": null});
    assert_eq!(node.ask("gear_programs", json!([])).await, programs);

    node.add_programs();
    let newest = node.holder.best().unwrap();
    for round in node.holder.rounds.lock().iter() {
        node.watch.executed(round, 1_000 * round.block.number);
    }
    node.watch.certified(newest.block.hash, 2_100);
    node.watch.finalized(newest.block, 2_500);
    let network = node.ask("gear_network", json!({"rounds": 1})).await;
    let block = json!({"number": 2, "hash": newest.block.hash});
    let of_anchor = json!({"number": 2, "hash": newest.anchor.hash});
    for level in ["executed", "certified", "finalized"] {
        assert_eq!(network[level], block, "{level}");
    }
    assert_eq!(network["genesis"], json!(GENESIS));
    assert_eq!(network["router"], json!(ROUTER));
    assert_eq!(network["ethereum"]["anchor"]["number"], 2);
    assert_eq!(network["ethereum"]["head"], Value::Null);
    assert_eq!(network["alarms"], json!([]));
    assert_eq!(
        network["rounds"],
        json!([{
            "block": block,
            "anchor": of_anchor,
            "gas": newest.outcome.gas_burned,
            "messages": newest.outcome.receipts.len(),
            "programs": newest.outcome.transitions.len(),
            "executed": 2_000,
            "certified": 2_100,
            "finalized": 2_500,
        }])
    );
    let all = node.ask("gear_network", json!([])).await;
    assert_eq!(all["rounds"].as_array().unwrap().len(), 2);
    let refused = node.refuse("gear_network", json!(["many"])).await;
    let says = refused["data"].as_str().unwrap();
    assert!(says.contains("`rounds` must be a whole number"), "{says}");
}

#[tokio::test]
async fn programs_are_told_page_by_page() {
    let node = Node::with_programs().await;
    let first = node.ask("gear_programs", json!([null, 1])).await;
    assert_eq!(first["block"]["number"], 2);
    assert_eq!(first["next"], json!(TROUBLE));
    let [ping] = first["programs"].as_array().unwrap().as_slice() else {
        panic!("one was asked for: {first}")
    };
    assert_eq!(ping["program_id"], json!(PING));
    assert_eq!(ping["status"], "active");
    assert_eq!(ping["queue"], 0);
    assert_eq!(ping["starved"], false);
    assert_eq!(ping["state_hash"], json!(node.holder.state_hash(PING)));
    let state = node.ask("gear_programState", json!([PING])).await;
    assert_eq!(
        ping["executable_balance"],
        state["state"]["executable_balance"]
    );
    assert_eq!(ping["code_id"], state["code_id"]);

    let rest = node.ask("gear_programs", json!({"from": TROUBLE})).await;
    assert_eq!(rest["programs"][0]["program_id"], json!(TROUBLE));
    assert_eq!(rest["programs"].as_array().unwrap().len(), 1);
    assert_eq!(rest["next"], Value::Null);
    let beyond = node
        .ask("gear_programs", json!([H160::repeat_byte(0xff)]))
        .await;
    assert_eq!(beyond["programs"], json!([]));
    let refused = node.refuse("gear_programs", json!(["0x"])).await;
    let says = refused["data"].as_str().unwrap();
    assert!(
        says.contains("`from` must be an Ethereum address"),
        "{says}"
    );

    // What waits for balance is shown with its queue.
    let poor = H160::repeat_byte(0x33);
    let code = CodeId(serde_json::from_value(ping["code_id"].clone()).unwrap());
    node.holder.execute(vec![created(poor, code)]);
    node.holder
        .execute(vec![message(poor, 3, b"", 0), message(poor, 4, b"", 0)]);
    let starved = node.ask("gear_programs", json!([poor, 1])).await;
    let starved = &starved["programs"][0];
    assert_eq!(
        (&starved["queue"], &starved["starved"]),
        (&json!(2), &json!(true))
    );
    assert_eq!(starved["status"], "created");
    assert_eq!(node.ask("gear_network", json!([])).await["starved"], 1);
}
