// SPDX-License-Identifier: GPL-3.0-or-later

//! `vft`: a token.

use crate::{
    host::{ALICE, BOB, Program},
    solidity::{NO_CALL_REPLY, call, event, keccak, word},
};
use gear_exe_programs::VFT;

#[test]
fn vft_is_an_erc20() {
    let mut vft = Program::new(VFT);
    let text = |text: &str| {
        let mut padded = [0; 32];
        padded[..text.len()].copy_from_slice(text.as_bytes());
        [word(text.len() as u128), padded]
    };
    let [name, symbol] = [text("Gold"), text("GLD")];
    let arguments = [
        NO_CALL_REPLY,
        word(128),
        word(192),
        word(18),
        name[0],
        name[1],
        symbol[0],
        symbol[1],
    ];
    assert_eq!(
        vft.init(&call("create(bool,string,string,uint16)", &arguments))
            .stopped,
        None
    );
    assert_eq!(
        vft.ask(BOB, &call("vftName(bool)", &[NO_CALL_REPLY])),
        [word(32), name[0], name[1]].concat()
    );
    assert_eq!(
        vft.ask(BOB, &call("vftDecimals(bool)", &[NO_CALL_REPLY])),
        word(18)
    );

    // More than fits into 128 bits.
    let large = [1; 32];
    assert_eq!(
        vft.ask(
            ALICE,
            &call(
                "vftMint(bool,address,uint256)",
                &[NO_CALL_REPLY, ALICE, large]
            )
        ),
        word(1)
    );
    let transfer = keccak("Transfer(address,address,uint256)");
    assert_eq!(vft.sent(), [event(&[transfer, [0; 32], ALICE], &large)]);
    let message = vft.handle(
        BOB,
        &call(
            "vftMint(bool,address,uint256)",
            &[NO_CALL_REPLY, BOB, word(1)],
        ),
        0,
    );
    assert_eq!(
        message.stopped.unwrap(),
        "panicked with 'only the owner mints'"
    );

    vft.ask(
        ALICE,
        &call(
            "vftTransfer(bool,address,uint256)",
            &[NO_CALL_REPLY, BOB, word(10)],
        ),
    );
    vft.ask(
        BOB,
        &call(
            "vftApprove(bool,address,uint256)",
            &[NO_CALL_REPLY, ALICE, word(4)],
        ),
    );
    vft.ask(
        ALICE,
        &call(
            "vftTransferFrom(bool,address,address,uint256)",
            &[NO_CALL_REPLY, BOB, ALICE, word(3)],
        ),
    );
    // To oneself: nothing is created.
    vft.ask(
        BOB,
        &call(
            "vftTransfer(bool,address,uint256)",
            &[NO_CALL_REPLY, BOB, word(7)],
        ),
    );
    assert_eq!(
        vft.sent()[1..],
        [
            event(&[transfer, ALICE, BOB], &word(10)),
            event(
                &[keccak("Approval(address,address,uint256)"), BOB, ALICE],
                &word(4)
            ),
            event(&[transfer, BOB, ALICE], &word(3)),
            event(&[transfer, BOB, BOB], &word(7)),
        ]
    );
    assert_eq!(
        vft.ask(
            BOB,
            &call("vftBalanceOf(bool,address)", &[NO_CALL_REPLY, BOB])
        ),
        word(7)
    );
    assert_eq!(
        vft.ask(
            BOB,
            &call(
                "vftAllowance(bool,address,address)",
                &[NO_CALL_REPLY, BOB, ALICE]
            )
        ),
        word(1)
    );
    assert_eq!(
        vft.ask(BOB, &call("vftTotalSupply(bool)", &[NO_CALL_REPLY])),
        large
    );

    let message = vft.handle(
        BOB,
        &call(
            "vftTransfer(bool,address,uint256)",
            &[NO_CALL_REPLY, ALICE, word(8)],
        ),
        0,
    );
    assert_eq!(
        message.stopped.unwrap(),
        "panicked with 'the balance is too small'"
    );
}
