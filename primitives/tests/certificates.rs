//! `vectors/certificates.json`: certificates with proofs of receipts, right and wrong, and what a verifier must say to each.
//! This test checks that the file is what Rust computes and that Rust's verdicts are those; the same is checked for Solidity by
//! `contracts/test/CertificateVectors.t.sol`, for TypeScript by `clients/typescript/test/verify.test.ts`.
//!
//! `vectors/natives.json`: native messages with their ids, digests and signatures, for clients that compute them.
//!
//! After a change on purpose: `UPDATE_VECTORS=1 cargo test --release -p gear-exe-primitives --test certificates`.

#![allow(clippy::unwrap_used)] // a failed unwrap is a failed test

use gear_exe_primitives::{
    batch::RouterDomain,
    certificate::{Certificate, CertificateError, ReceiptProof, RoundStatement},
    ethereum::BlockId,
    ids::{ActorId, MessageId},
    message::{Receipt, ReplyCode},
    native::{NativeTransaction, SignedNative, SigningForm},
    quorum::{Member, bitmap},
    round::RoundOutcome,
    signature::{CompactSignature, address_of_secret},
};
use primitive_types::{H160, H256};
use serde_json::{Value, json};
use std::{fs, path::Path};

/// Number of the block of all rounds.
const BLOCK: u64 = 4_711;

/// Another word for every seed.
fn word(seed: u64) -> H256 {
    gear_exe_primitives::hashing::keccak256([seed.to_be_bytes()])
}

fn hex(bytes: impl AsRef<[u8]>) -> String {
    format!("0x{}", hex::encode(bytes))
}

/// The key of the member at this place.
fn secret(place: usize) -> [u8; 32] {
    [place as u8 + 1; 32]
}

/// A Router with the validators that it holds.
struct Network {
    name: &'static str,
    domain: RouterDomain,
    genesis: H256,
    set_id: u64,
    members: Vec<Member>,
}

impl Network {
    fn new(name: &'static str, seed: u64, weights: &[u64]) -> Self {
        let members = weights.iter().enumerate().map(|(place, weight)| Member {
            address: address_of_secret(&secret(place)).unwrap(),
            weight: *weight,
        });
        Self {
            name,
            domain: RouterDomain {
                chain_id: 31_337 + seed,
                router: H160::from_slice(&word(seed).as_bytes()[..20]),
            },
            genesis: word(seed + 1),
            set_id: 1,
            members: members.collect(),
        }
    }

    /// What the members at these places have signed of a round.
    fn case(
        &self,
        name: &'static str,
        signers: &[usize],
        outcome: &RoundOutcome,
        index: usize,
    ) -> Case {
        let statement = RoundStatement {
            set_id: self.set_id,
            block_number: BLOCK,
            block_hash: word(1),
            anchor: BlockId {
                number: 22_000_000,
                hash: word(2),
            },
            outcome: outcome.root(),
        };
        Case {
            name,
            verdict: "Valid",
            genesis: self.genesis,
            certificate: self.signed(statement, signers),
            proof: ReceiptProof::of(outcome, index).unwrap(),
        }
    }

    fn signed(&self, statement: RoundStatement, signers: &[usize]) -> Certificate {
        let digest = statement.digest(self.genesis, &self.domain);
        let signatures = signers
            .iter()
            .map(|place| CompactSignature::sign(&secret(*place), digest).unwrap());
        Certificate {
            statement,
            signers: bitmap(signers.iter().copied()),
            signatures: signatures.collect(),
        }
    }

    /// The verdict of a verifier that knows this network.
    fn judge(&self, case: &Case) -> &'static str {
        let certificate = &case.certificate;
        if case.genesis != self.genesis {
            return "Genesis";
        }
        if certificate.statement.set_id != self.set_id {
            return "Set";
        }
        match certificate.verify(self.genesis, &self.domain, &self.members) {
            Ok(()) => {}
            Err(CertificateError::Signers) => return "Signers",
            Err(CertificateError::Signatures) => return "Signatures",
            Err(CertificateError::NotTheMember(_)) => return "NotTheMember",
            Err(CertificateError::NoQuorum) => {
                let heads = certificate.signatures.len() * 3 > self.members.len() * 2;
                return if heads { "Weight" } else { "Heads" };
            }
        }
        if case.proof.outcome() != Some(certificate.statement.outcome) {
            return "NotInRound";
        }
        if case.proof.is_certified_by(certificate) {
            "Valid"
        } else {
            "WrongRound"
        }
    }
}

/// A certificate with a proof, and what is to be said to it.
#[derive(Clone)]
struct Case {
    name: &'static str,
    verdict: &'static str,
    genesis: H256,
    certificate: Certificate,
    proof: ReceiptProof,
}

impl Case {
    /// The same, changed.
    fn but(
        &self,
        name: &'static str,
        verdict: &'static str,
        change: impl FnOnce(&mut Self),
    ) -> Self {
        let mut other = Self {
            name,
            verdict,
            ..self.clone()
        };
        change(&mut other);
        other
    }
}

fn receipt(number: u64) -> Receipt {
    Receipt {
        message_id: MessageId(word(100 + number)),
        program_id: ActorId::from(H160::from_slice(&word(200 + number).as_bytes()[..20])),
        code: ReplyCode::SUCCESS_MANUAL,
        payload_hash: word(300 + number),
        value: u128::from(number) << 70,
        gas_burned: number * 1_000_003,
        round: BLOCK,
    }
}

fn outcome(receipts: Vec<Receipt>) -> RoundOutcome {
    RoundOutcome {
        state_root: word(3),
        receipts,
        replies: Vec::new(),
        transitions: Vec::new(),
        gas_burned: 0,
        spent: 0,
        work_left: false,
        starved: Vec::new(),
    }
}

fn of(receipts: u64) -> RoundOutcome {
    outcome((0..receipts).map(receipt).collect())
}

/// Receipts whose fields are the least and the greatest.
fn extremes() -> RoundOutcome {
    let least = Receipt {
        message_id: MessageId::zero(),
        program_id: ActorId::zero(),
        code: ReplyCode::SUCCESS_AUTO,
        payload_hash: H256::zero(),
        value: 0,
        gas_burned: 0,
        round: BLOCK,
    };
    let greatest = Receipt {
        message_id: MessageId(H256::repeat_byte(0xff)),
        program_id: ActorId(H256::repeat_byte(0xff)),
        code: ReplyCode([0xff; 4]),
        payload_hash: H256::repeat_byte(0xff),
        value: u128::MAX,
        gas_burned: u64::MAX,
        round: BLOCK,
    };
    outcome(vec![least, greatest])
}

fn flip(hash: &mut H256) {
    hash.0[31] ^= 1;
}

/// Certificates of four equal validators.
fn of_four(network: &Network) -> Vec<Case> {
    let five = of(5);
    let good = network.case(
        "the third of five receipts, by three of four",
        &[0, 1, 3],
        &five,
        2,
    );
    let mut cases = vec![
        good.clone(),
        network.case("by all", &[0, 1, 2, 3], &five, 0),
        network.case("the last of five", &[1, 2, 3], &five, 4),
        network.case("the only one", &[0, 1, 2], &of(1), 0),
        network.case("the first of six", &[0, 1, 2], &of(6), 0),
        network.case("the last of six", &[0, 1, 2], &of(6), 5),
        network.case("of a thousand", &[0, 2, 3], &of(1_000), 511),
        network.case("the least fields", &[0, 2, 3], &extremes(), 0),
        network.case("the greatest fields", &[0, 2, 3], &extremes(), 1),
    ];

    // Who signed.
    let certificate = &good.certificate;
    let of_two = network.case("", &[0, 3], &five, 2);
    cases.extend([
        of_two.but("two of four", "Heads", |_| {}),
        good.but("nobody", "Heads", |bad| {
            bad.certificate.signers.clear();
            bad.certificate.signatures.clear();
        }),
        good.but("another member is named", "NotTheMember", |bad| {
            bad.certificate.signers = bitmap([0, 1, 2]);
        }),
        good.but("somebody else has signed", "NotTheMember", |bad| {
            let digest = certificate
                .statement
                .digest(network.genesis, &network.domain);
            bad.certificate.signatures[1] = CompactSignature::sign(&secret(98), digest).unwrap();
        }),
        good.but("one signature for two", "NotTheMember", |bad| {
            bad.certificate.signatures[1] = certificate.signatures[0];
        }),
        good.but("in another order", "NotTheMember", |bad| {
            bad.certificate.signatures.swap(0, 1);
        }),
        good.but("no signature at all", "NotTheMember", |bad| {
            bad.certificate.signatures[0] = CompactSignature([0; 64]);
        }),
        good.but("the other parity", "NotTheMember", |bad| {
            bad.certificate.signatures[2].0[32] ^= 0x80;
        }),
        good.but("s changed", "NotTheMember", |bad| {
            bad.certificate.signatures[2].0[63] ^= 1;
        }),
        good.but("one signature more", "Signatures", |bad| {
            bad.certificate.signatures.push(certificate.signatures[0]);
        }),
        good.but("one signature less", "Signatures", |bad| {
            bad.certificate.signatures.pop();
        }),
        good.but("a trailing zero byte", "Signers", |bad| {
            bad.certificate.signers.push(0);
        }),
        good.but("a bit beyond the set", "Signers", |bad| {
            bad.certificate.signers[0] |= 0b1_0000;
        }),
        good.but("a bit in the next byte", "Signers", |bad| {
            bad.certificate.signers.push(1);
        }),
    ]);

    // What was signed.
    cases.extend([
        good.but("another chain", "Genesis", |bad| flip(&mut bad.genesis)),
        good.but("another set", "Set", |bad| {
            bad.certificate.statement.set_id = 2;
            bad.certificate = network.signed(bad.certificate.statement, &[0, 1, 3]);
        }),
        good.but("another block number", "NotTheMember", |bad| {
            bad.certificate.statement.block_number += 1;
        }),
        good.but("another block", "NotTheMember", |bad| {
            flip(&mut bad.certificate.statement.block_hash);
        }),
        good.but("another anchor number", "NotTheMember", |bad| {
            bad.certificate.statement.anchor.number -= 1;
        }),
        good.but("another anchor", "NotTheMember", |bad| {
            flip(&mut bad.certificate.statement.anchor.hash);
        }),
        good.but("another outcome", "NotTheMember", |bad| {
            flip(&mut bad.certificate.statement.outcome);
        }),
        good.but("signed for another Router", "NotTheMember", |bad| {
            let other = Network::new("", 77, &[1; 4]);
            let digest = certificate.statement.digest(network.genesis, &other.domain);
            for (place, signature) in [0, 1, 3].into_iter().zip(&mut bad.certificate.signatures) {
                *signature = CompactSignature::sign(&secret(place), digest).unwrap();
            }
        }),
    ]);
    cases.extend(wrong_proofs(network, &good, &five));
    cases
}

/// What does not lead from a receipt to the outcome that was signed.
fn wrong_proofs(network: &Network, good: &Case, five: &RoundOutcome) -> Vec<Case> {
    let wrong = |name, change: &dyn Fn(&mut ReceiptProof)| {
        good.but(name, "NotInRound", |bad| change(&mut bad.proof))
    };
    let strange = Receipt {
        round: BLOCK - 1,
        ..receipt(0)
    };
    let strange = outcome(vec![strange, receipt(1)]);
    vec![
        wrong("another message", &|proof| {
            flip(&mut proof.receipt.message_id.0)
        }),
        wrong("another program", &|proof| {
            flip(&mut proof.receipt.program_id.0)
        }),
        wrong("another code", &|proof| {
            proof.receipt.code = ReplyCode::SUCCESS_AUTO
        }),
        wrong("another payload", &|proof| {
            flip(&mut proof.receipt.payload_hash)
        }),
        wrong("another value", &|proof| proof.receipt.value += 1),
        wrong("other gas", &|proof| proof.receipt.gas_burned += 1),
        wrong("another round", &|proof| proof.receipt.round += 1),
        wrong("the receipt of its neighbour", &|proof| {
            proof.receipt = five.receipts[3]
        }),
        wrong("a sibling changed", &|proof| flip(&mut proof.siblings[1])),
        wrong("a sibling less", &|proof| {
            proof.siblings.pop();
        }),
        wrong("a sibling more", &|proof| proof.siblings.push(H256::zero())),
        wrong("siblings in another order", &|proof| {
            proof.siblings.swap(0, 1)
        }),
        wrong("another place", &|proof| proof.index = 3),
        wrong("a place beyond the end", &|proof| proof.index = 5),
        wrong("one receipt more", &|proof| proof.count = 6),
        wrong("one receipt less", &|proof| proof.count = 4),
        wrong("no receipts", &|proof| {
            proof.count = 0;
            proof.index = 0;
        }),
        wrong("the greatest numbers", &|proof| {
            proof.count = u64::MAX;
            proof.index = u64::MAX - 1;
        }),
        wrong("another receipts root", &|proof| {
            flip(&mut proof.receipts_root)
        }),
        wrong("another state", &|proof| flip(&mut proof.state_root)),
        wrong("other transitions", &|proof| flip(&mut proof.transitions)),
        wrong("roots exchanged", &|proof| {
            std::mem::swap(&mut proof.state_root, &mut proof.transitions);
        }),
        // Nobody signs that; a verifier must see it all the same.
        network.case("", &[0, 1, 3], &strange, 0).but(
            "a receipt that names another round, signed",
            "WrongRound",
            |_| {},
        ),
    ]
}

fn networks() -> Vec<(Network, Vec<Case>)> {
    let equal = Network::new("four equal validators", 10, &[10; 4]);
    let of_equal = of_four(&equal);

    let uneven = Network::new("four of whom one is heavy", 20, &[10, 10, 100, 10]);
    let three = of(3);
    let light = uneven.case("", &[0, 1, 3], &three, 1);
    let few = uneven.case("", &[1, 2], &three, 1);
    let of_uneven = vec![
        uneven.case("three with enough weight", &[0, 2, 3], &three, 1),
        light.but("three with too little weight", "Weight", |_| {}),
        few.but("two with enough weight", "Heads", |_| {}),
    ];

    let seven = [0, 1, 2, 3, 4, 5, 6];
    let ten = Network::new("ten", 30, &[3; 10]);
    let good = ten.case("seven of ten", &seven, &three, 2);
    let six = ten.case("", &[0, 1, 2, 3, 4, 9], &three, 2);
    let of_ten = vec![
        good.clone(),
        ten.case(
            "seven, one in the second byte",
            &[1, 2, 3, 4, 5, 6, 9],
            &three,
            0,
        ),
        six.but("six of ten", "Heads", |_| {}),
        good.but("a zero byte for nobody", "Signers", |bad| {
            bad.certificate.signers.push(0)
        }),
    ];

    let heavy = Network::new("the greatest weights", 40, &[u64::MAX; 3]);
    let two = heavy.case("", &[0, 2], &three, 0);
    let of_heavy = vec![
        heavy.case("three of three", &[0, 1, 2], &three, 0),
        two.but("two of three are not more than two thirds", "Heads", |_| {}),
    ];

    let one = Network::new("one alone", 50, &[1]);
    let of_one = vec![one.case("itself", &[0], &three, 0)];
    vec![
        (equal, of_equal),
        (uneven, of_uneven),
        (ten, of_ten),
        (heavy, of_heavy),
        (one, of_one),
    ]
}

/// In the shapes of `Certificates` in Solidity; numbers as decimal strings, which no reader rounds.
fn case_json(network: &Network, case: &Case) -> Value {
    let Certificate {
        statement,
        signers,
        signatures,
    } = &case.certificate;
    let ReceiptProof { receipt, .. } = &case.proof;
    json!({
        "name": case.name,
        "verdict": case.verdict,
        "statement": {
            "genesis": hex(case.genesis),
            "setId": statement.set_id.to_string(),
            "blockNumber": statement.block_number.to_string(),
            "blockHash": hex(statement.block_hash),
            "anchorNumber": statement.anchor.number.to_string(),
            "anchorHash": hex(statement.anchor.hash),
            "outcome": hex(statement.outcome),
        },
        "digest": hex(statement.digest(case.genesis, &network.domain)),
        "signers": hex(signers),
        "signatures": signatures.iter().map(|signature| hex(signature.0)).collect::<Vec<_>>(),
        "proof": {
            "receipt": {
                "messageId": hex(receipt.message_id),
                "programId": hex(receipt.program_id),
                "code": hex(receipt.code.0),
                "payloadHash": hex(receipt.payload_hash),
                "value": receipt.value.to_string(),
                "gasBurned": receipt.gas_burned.to_string(),
                "round": receipt.round.to_string(),
            },
            "index": case.proof.index.to_string(),
            "count": case.proof.count.to_string(),
            "siblings": case.proof.siblings.iter().map(hex).collect::<Vec<_>>(),
            "receiptsRoot": hex(case.proof.receipts_root),
            "stateRoot": hex(case.proof.state_root),
            "transitionsHash": hex(case.proof.transitions),
        },
        "leaf": hex(receipt.leaf()),
    })
}

fn network_json((network, cases): &(Network, Vec<Case>)) -> Value {
    let members = network.members.iter();
    json!({
        "name": network.name,
        "chainId": network.domain.chain_id.to_string(),
        "router": hex(network.domain.router),
        "genesis": hex(network.genesis),
        "setId": network.set_id.to_string(),
        "members": members.clone().map(|member| hex(member.address)).collect::<Vec<_>>(),
        "weights": members.map(|member| member.weight.to_string()).collect::<Vec<_>>(),
        "cases": cases.iter().map(|case| case_json(network, case)).collect::<Vec<_>>(),
    })
}

/// Compares with the committed file, which is written first if that is wanted.
fn compare(file: &str, value: &Value) {
    let text = serde_json::to_string_pretty(value).unwrap() + "\n";
    let path = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("vectors")
        .join(file);
    if std::env::var_os("UPDATE_VECTORS").is_some() {
        fs::write(&path, &text).unwrap();
    }
    assert!(
        fs::read_to_string(&path).unwrap() == text,
        "vectors/{file} is not what Rust computes; after a change on purpose, run with UPDATE_VECTORS=1, then the tests of \
         contracts and of clients/typescript"
    );
}

#[test]
fn certificates_are_what_rust_computes_and_judges() {
    let networks = networks();
    for (network, cases) in &networks {
        for case in cases {
            assert_eq!(
                network.judge(case),
                case.verdict,
                "{}: {}",
                network.name,
                case.name
            );
        }
    }
    let networks: Vec<_> = networks.iter().map(network_json).collect();
    compare("certificates.json", &json!({ "networks": networks }));
}

/// Messages around the lengths at which encoders pad, in all forms.
fn natives() -> Value {
    let domain = RouterDomain {
        chain_id: 560_048,
        router: H160::from_slice(&word(60).as_bytes()[..20]),
    };
    let transaction = |seed: u64, payload: usize, value: u128, salt: usize| NativeTransaction {
        destination: H160::from_slice(&word(seed).as_bytes()[..20]),
        payload: (0..payload).map(|index| (index * 7 + 1) as u8).collect(),
        value,
        reference_block: word(seed + 1),
        salt: (0..salt).map(|index| (index * 5 + 3) as u8).collect(),
    };
    let transactions = [
        transaction(400, 0, 0, 0),
        transaction(410, 3, 0, 3),
        transaction(420, 32, 256, 8),
        transaction(430, 33, u128::from(u32::MAX) + 1, 31),
        transaction(440, 200, u128::MAX, 32),
    ];
    let source = address_of_secret(&secret(0)).unwrap();
    let forms = [
        ("versioned", SigningForm::Versioned),
        ("legacy", SigningForm::Legacy),
        ("typed", SigningForm::Typed),
    ];
    let vectors = transactions.iter().flat_map(|transaction| {
        forms.map(|(name, form)| {
            let digest = transaction.digest(form, &domain);
            let signed = SignedNative {
                transaction: transaction.clone(),
                form,
                source,
                signature: CompactSignature::sign(&secret(0), digest).unwrap(),
            };
            assert!(signed.is_signed(&domain));
            json!({
                "form": name,
                "transaction": {
                    "destination": hex(transaction.destination),
                    "payload": hex(&transaction.payload),
                    "value": transaction.value.to_string(),
                    "referenceBlock": hex(transaction.reference_block),
                    "salt": hex(&transaction.salt),
                },
                "digest": hex(digest),
                "id": hex(signed.id(&domain)),
                "rpc": signed,
            })
        })
    });
    json!({
        "chainId": domain.chain_id.to_string(),
        "router": hex(domain.router),
        "secret": hex(secret(0)),
        "address": hex(source),
        "vectors": vectors.collect::<Vec<_>>(),
    })
}

#[test]
fn natives_are_what_rust_computes() {
    compare("natives.json", &natives());
}
