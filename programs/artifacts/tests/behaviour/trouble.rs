// SPDX-License-Identifier: GPL-3.0-or-later

//! `trouble`: everything a program should not do.

use crate::host::{ALICE, BOB, Message, Program, Sent};
use gear_exe_programs::TROUBLE;

#[test]
fn trouble_obeys() {
    let mut trouble = Program::new(TROUBLE);
    assert_eq!(trouble.init(b"").stopped, None);
    let command = |name: &str, arguments: &[&[u8]]| [name.as_bytes(), &arguments.concat()].concat();

    assert_eq!(trouble.handle(BOB, b"BUMP", 0).stopped, None);
    assert_eq!(trouble.ask(BOB, b"COUNT"), 1u64.to_le_bytes());
    assert_eq!(trouble.ask(BOB, b"TWICE"), b"FIRST");
    assert_eq!(
        trouble.ask(BOB, &command("BIG", &[&5u32.to_le_bytes()])),
        b"xxxxx"
    );
    assert_eq!(trouble.handle(BOB, b"REFUND", 9).reply, Some((vec![], 9)));

    trouble.handle(BOB, &command("MAILBOX", &[&7u128.to_le_bytes()]), 7);
    trouble.handle(
        BOB,
        &command("SEND", &[&ALICE, &1u128.to_le_bytes(), b"hello"]),
        1,
    );
    trouble.handle(BOB, &command("DELAY", &[&3u32.to_le_bytes()]), 0);
    assert_eq!(
        trouble.sent(),
        [
            Sent {
                to: BOB,
                payload: b"MAIL".into(),
                value: 7,
                delay: 0
            },
            Sent {
                to: ALICE,
                payload: b"hello".into(),
                value: 1,
                delay: 0
            },
            Sent {
                to: BOB,
                payload: b"DELAYED".into(),
                value: 0,
                delay: 3
            },
        ]
    );

    assert_eq!(trouble.deliver_reply(0, b"").stopped, None);
    assert!(trouble.deliver_reply(1, b"PANIC").stopped.is_some());
    // The one that made it panic is forgotten.
    assert_eq!(trouble.ask(BOB, b"REPLIES"), 1u64.to_le_bytes());

    for (woken, expected) in [(false, b"LATE".as_slice()), (true, b"WOKEN")] {
        let waiting = trouble.handle(BOB, b"WAIT", 0);
        assert_eq!(waiting.stopped.as_deref(), Some("wait up to 5"));
        if woken {
            assert_eq!(
                trouble
                    .handle(ALICE, &command("WAKE", &[&waiting.id]), 0)
                    .woken,
                [waiting.id]
            );
        }
        let again = trouble.execute(
            "handle",
            Message {
                stopped: None,
                ..waiting
            },
        );
        assert_eq!(again.reply.unwrap().0, expected);
    }
}

#[test]
fn trouble_fails_in_the_way_it_is_told() {
    for (command, end) in [
        ("PANIC", "panicked with 'asked to panic'"),
        ("DIRTY", "panicked with 'all of this is undone'"),
        ("TRAP", "Some(UnreachableCodeReached)"),
        ("WILD", "Some(MemoryOutOfBounds)"),
        ("RECURSE", "Some(StackOverflow)"),
        ("EXIT for whoever has this id: letter", "exit to 72"),
        ("NOSUCH", "panicked with 'unknown command'"),
    ] {
        let mut trouble = Program::new(TROUBLE);
        trouble.init(b"");
        assert_eq!(
            trouble
                .handle(BOB, command.as_bytes(), 0)
                .stopped
                .as_deref(),
            Some(end),
            "{command}"
        );
    }
    // Without memory to be had, an allocation panics.
    let end = Program::new(TROUBLE)
        .handle(BOB, b"ALLOC", 0)
        .stopped
        .unwrap();
    assert!(end.contains("memory allocation"), "{end}");
}
