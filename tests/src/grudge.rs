//! A contract that answers every call-back and every payment by burning all the gas that it gets.
//!
//! It is written as bytes, so that it does exactly this with any compiler.

use alloy::{
    network::TransactionBuilder,
    primitives::{Address, Bytes, U256},
    rpc::types::TransactionRequest,
    sol_types::SolCall,
};

/// Copies what follows it, [`RUNTIME`], into memory and returns that as the contract's code.
const INIT: [u8; 11] = [
    0x60, 43,   // PUSH1 length
    0x80, // DUP1
    0x60, 11, // PUSH1 offset
    0x60, 0,    // PUSH1 0
    0x39, // CODECOPY
    0x60, 0,    // PUSH1 0
    0xf3, // RETURN
];

/// If a wallet calls it (`caller == origin`), it calls the address in the first word of calldata with the rest of that
/// and all the ETH, and reverts if that fails. If anybody else calls it, it loops until its gas is burned.
const RUNTIME: [u8; 43] = [
    0x33, 0x32, 0x14, // CALLER ORIGIN EQ
    0x60, 10, 0x57, // PUSH1 10 JUMPI
    0x5b, 0x60, 6, 0x56, // 6: JUMPDEST PUSH1 6 JUMP
    0x5b, // 10: JUMPDEST
    0x60, 32, 0x36, 0x03,
    0x80, // PUSH1 32 CALLDATASIZE SUB DUP1: the length of the rest, twice
    0x60, 32, 0x60, 0, 0x37, // PUSH1 32 PUSH1 0 CALLDATACOPY
    0x60, 0, 0x60, 0, 0x82, 0x60, 0, 0x34, // PUSH1 0 PUSH1 0 DUP3 PUSH1 0 CALLVALUE
    0x60, 0, 0x35, 0x5a, 0xf1, // PUSH1 0 CALLDATALOAD GAS CALL
    0x60, 41, 0x57, // PUSH1 41 JUMPI
    0x60, 0, 0x80, 0xfd, // PUSH1 0 DUP1 REVERT
    0x5b, 0x00, // 41: JUMPDEST STOP
];

/// Its creation code.
pub fn creation_code() -> Bytes {
    [&INIT[..], &RUNTIME].concat().into()
}

/// A transaction that makes the contract call a method of `target`, with `value` wei.
pub fn make_call(
    grudge: Address,
    target: Address,
    method: &impl SolCall,
    value: u128,
) -> TransactionRequest {
    let data = [target.into_word().to_vec(), method.abi_encode()].concat();
    TransactionRequest::default()
        .with_to(grudge)
        .with_input(data)
        .with_value(U256::from(value))
}
