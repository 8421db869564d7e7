// SPDX-License-Identifier: GPL-3.0-or-later

//! `counter`: methods, events, ETH in and out.

use crate::{
    host::{ALICE, BOB, Program},
    solidity::{NO_CALL_REPLY, call, call_reply, event, keccak, word},
};
use gear_exe_programs::COUNTER;

#[test]
fn counter_speaks_solidity() {
    let mut counter = Program::new(COUNTER);
    let created = counter.init(&call("create(bool,uint32)", &[call_reply(), word(40)]));
    assert_eq!(created.stopped, None);
    assert_eq!(
        created.reply.unwrap().0,
        call("replyOn_create(bytes32)", &[created.id])
    );

    assert_eq!(
        counter.ask(
            ALICE,
            &call("counterAdd(bool,uint32)", &[NO_CALL_REPLY, word(2)])
        ),
        word(42)
    );
    assert_eq!(
        counter.sent(),
        [event(
            &[keccak("Changed(address,uint32)"), ALICE],
            &word(42)
        )]
    );

    let message = counter.handle(
        BOB,
        &call("counterSub(bool,uint32)", &[call_reply(), word(2)]),
        0,
    );
    assert_eq!(
        message.reply.unwrap().0,
        call(
            "replyOn_counterSub(bytes32,uint32)",
            &[message.id, word(40)]
        )
    );
    assert_eq!(
        counter.sent()[1],
        event(&[keccak("Changed(address,uint32)"), BOB], &word(40))
    );

    let message = counter.handle(
        BOB,
        &call("counterSub(bool,uint32)", &[NO_CALL_REPLY, word(41)]),
        0,
    );
    assert_eq!(
        message.stopped.unwrap(),
        "panicked with 'the counter would be negative'"
    );
    assert_eq!(
        counter.ask(BOB, &call("counterValue(bool)", &[NO_CALL_REPLY])),
        word(40)
    );
}

#[test]
fn counter_keeps_eth_and_gives_it_back() {
    let mut counter = Program::new(COUNTER);
    assert_eq!(
        counter
            .init(&call("create(bool,uint32)", &[NO_CALL_REPLY, word(0)]))
            .stopped,
        None
    );

    let message = counter.handle(ALICE, &call("counterDeposit(bool)", &[NO_CALL_REPLY]), 100);
    assert_eq!(message.reply, Some((word(100).into(), 0)));
    let message = counter.handle(
        ALICE,
        &call("counterWithdraw(bool,uint128)", &[NO_CALL_REPLY, word(30)]),
        0,
    );
    assert_eq!(message.reply, Some((word(70).into(), 30)));
    assert_eq!(
        counter.ask(
            BOB,
            &call("counterDepositOf(bool,address)", &[NO_CALL_REPLY, ALICE])
        ),
        word(70)
    );

    let message = counter.handle(
        BOB,
        &call("counterWithdraw(bool,uint128)", &[NO_CALL_REPLY, word(1)]),
        0,
    );
    assert_eq!(
        message.stopped.unwrap(),
        "panicked with 'the sender has less here'"
    );
    let message = counter.handle(
        BOB,
        &call("counterAdd(bool,uint32)", &[NO_CALL_REPLY, word(1)]),
        5,
    );
    assert!(message.stopped.unwrap().contains("accepts no value"));
}
