// SPDX-License-Identifier: GPL-3.0-or-later

//! `fan-out`: asks many and waits for all.

use crate::host::{ALICE, BOB, Message, Program, Sent};
use gear_exe_programs::FAN_OUT;

#[test]
fn fan_out_joins_in_the_order_of_the_ids() {
    let mut fan_out = Program::new(FAN_OUT);
    assert_eq!(fan_out.init(&ALICE).stopped, None);
    assert_eq!(
        fan_out
            .handle(ALICE, &[b"SET".as_slice(), &ALICE, &BOB].concat(), 0)
            .stopped,
        None
    );

    let asked = fan_out.handle(ALICE, b"ASK", 0);
    assert_eq!(asked.stopped.as_deref(), Some("wait up to 100"));
    let question = |to| Sent {
        to,
        payload: b"PING".into(),
        value: 0,
        delay: 0,
    };
    assert_eq!(fan_out.sent(), [question(ALICE), question(BOB)]);

    // The second one answers first. Each answer wakes the message.
    assert_eq!(fan_out.deliver_reply(1, b"two").woken, [asked.id]);
    let again = fan_out.execute(
        "handle",
        Message {
            stopped: None,
            ..asked.clone()
        },
    );
    assert!(again.stopped.unwrap().starts_with("wait up to"));
    assert_eq!(fan_out.deliver_reply(0, b"one").woken, [asked.id]);
    let answered = fan_out.execute(
        "handle",
        Message {
            stopped: None,
            ..asked
        },
    );
    assert_eq!(answered.reply.unwrap().0, b"\x02\0\0\0onetwo");
}

#[test]
fn fan_out_does_not_wait_for_ever() {
    let mut fan_out = Program::new(FAN_OUT);
    assert_eq!(fan_out.init(&BOB).stopped, None);
    let asked = fan_out.handle(ALICE, b"ASKhow are you", 0);
    assert_eq!(fan_out.sent()[0].payload, b"how are you");
    fan_out.store.data_mut().height = 100;
    let answered = fan_out.execute(
        "handle",
        Message {
            stopped: None,
            ..asked
        },
    );
    assert_eq!(answered.reply.unwrap().0, [0; 4]);
}
