// SPDX-License-Identifier: GPL-3.0-or-later

//! The READMEs list every function and event of the Solidity interfaces with its selector or topic.
//! That the programs themselves know these selectors is shown in `behaviour.rs`.

#![allow(clippy::unwrap_used)] // a failed unwrap is a failed test

use sha3::{Digest, Keccak256};

/// `name(type,type)` of each function or event in a Solidity interface that keeps to one declaration per statement.
fn signatures(solidity: &str, keyword: &str) -> Vec<String> {
    let code: String = solidity
        .lines()
        .filter(|line| !line.trim_start().starts_with("///"))
        .collect();
    code.split(&format!("{keyword} "))
        .skip(1)
        .map(|rest| {
            let (name, rest) = rest.split_once('(').unwrap();
            let (parameters, _) = rest.split_once(')').unwrap();
            let types: Vec<_> = parameters
                .split(',')
                .filter_map(|parameter| parameter.split_whitespace().next())
                .collect();
            format!("{name}({})", types.join(","))
        })
        .collect()
}

fn check(solidity: &str, readme: &str) {
    let mut missing = String::new();
    for (keyword, len) in [("function", 4), ("event", 32)] {
        let signatures = signatures(solidity, keyword);
        assert!(!signatures.is_empty());
        for signature in signatures {
            let hash: String = Keccak256::digest(&signature)[..len]
                .iter()
                .map(|byte| format!("{byte:02x}"))
                .collect();
            let row = format!("| `{signature}` | `0x{hash}` |");
            if !readme.contains(&row) {
                missing.push_str(&format!("{row}\n"));
            }
        }
    }
    assert!(
        missing.is_empty(),
        "the README lacks these rows:\n{missing}"
    );
}

#[test]
fn counter() {
    check(
        include_str!("../../counter/ICounter.sol"),
        include_str!("../../counter/README.md"),
    );
}

#[test]
fn vft() {
    check(
        include_str!("../../vft/IVft.sol"),
        include_str!("../../vft/README.md"),
    );
}

/// The example of a dApp contract takes the counter's answers by the names that the counter gives them. It calls the
/// counter through the same interface file, which the Solidity compiler checks.
#[test]
fn counter_caller() {
    let counter = signatures(include_str!("../../counter/ICounter.sol"), "function");
    let caller = signatures(
        include_str!("../../../contracts/src/examples/CounterCaller.sol"),
        "function",
    );
    for name in ["replyOn_counterAdd", "onErrorReply"] {
        let signature = caller
            .iter()
            .find(|signature| signature.split('(').next() == Some(name))
            .unwrap_or_else(|| panic!("CounterCaller has no {name}"));
        assert!(
            counter.contains(signature),
            "the counter has no {signature}"
        );
    }
}

/// The compiled ABI that explorers are shown has the functions of the interface.
#[test]
fn counter_abi() {
    let abi: String = include_str!("../../../contracts/artifacts/CounterAbi.json")
        .split_whitespace()
        .collect();
    let interface = include_str!("../../counter/ICounter.sol");
    let (interface, _) = interface.split_once("interface ICounterCallbacks").unwrap();
    let functions = signatures(interface, "function");
    assert_eq!(abi.matches(r#""type":"function""#).count(), functions.len());
    for signature in functions {
        let name = signature.split('(').next().unwrap();
        assert!(abi.contains(&format!(r#""name":"{name}","#)), "no {name}");
    }
}
