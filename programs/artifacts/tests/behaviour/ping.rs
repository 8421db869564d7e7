// SPDX-License-Identifier: GPL-3.0-or-later

//! `ping`: the smallest useful program.

use crate::host::{ALICE, BOB, Program};
use gear_exe_programs::PING;

#[test]
fn ping_answers_and_counts() {
    let mut ping = Program::new(PING);
    assert_eq!(ping.init(b"anything").stopped, None);
    assert_eq!(ping.ask(ALICE, b"PING"), b"PONG");
    assert_eq!(ping.ask(BOB, b"PING"), b"PONG");
    assert!(ping.handle(BOB, b"PONG", 0).reply.is_none());
    assert_eq!(ping.ask(ALICE, b"COUNT"), 2u64.to_le_bytes());
}
