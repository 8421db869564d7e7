//! Peers that lie, in every way that there is.

use super::*;

/// What a liar makes of an honest answer.
pub(super) type Lie = fn(Request, Response) -> Option<Vec<u8>>;

fn of_objects(answer: Response, change: impl Fn(Found) -> Found) -> Option<Vec<u8>> {
    let answer = match answer {
        Response::Objects(found) => {
            let found = found.into_inner().into_iter().map(change);
            Response::Objects(Few::of(found.collect()))
        }
        other => other,
    };
    Some(answer.encode())
}

/// With whether it is proven that they lie.
pub(super) const LIES: [(&str, bool, Lie); 13] = [
    ("a wrong byte", true, |_, answer| {
        of_objects(answer, |found| match found {
            Found::Whole(tag, bytes) => Found::Whole(tag, flip(bytes)),
            other => other,
        })
    }),
    ("truncated objects", true, |_, answer| {
        of_objects(answer, |found| match found {
            Found::Whole(tag, bytes) => Found::Whole(tag, bytes[..bytes.len() / 2].to_vec()),
            other => other,
        })
    }),
    ("a truncated answer", true, |_, answer| {
        let mut bytes = answer.encode();
        bytes.pop();
        Some(bytes)
    }),
    ("an answer that goes on", true, |_, answer| {
        Some([&answer.encode()[..], &[0]].concat())
    }),
    ("an answer that is too long", true, |_, _| {
        Some(vec![0; MAX_RESPONSE + 1])
    }),
    (
        "fewer objects than asked for",
        true,
        |question, answer| match (question, answer) {
            (Request::Objects(_), Response::Objects(found)) => {
                let mut found = found.into_inner();
                found.pop();
                Some(Response::Objects(Few::of(found)).encode())
            }
            (_, answer) => Some(answer.encode()),
        },
    ),
    (
        "more objects than there may be",
        true,
        |question, answer| match question {
            Request::Objects(_) => {
                let mut bytes = vec![1];
                Compact(MAX_WANTED as u32 + 1).encode_to(&mut bytes);
                bytes.extend(vec![2; MAX_WANTED + 1]);
                Some(bytes)
            }
            _ => Some(answer.encode()),
        },
    ),
    ("objects without end", true, |_, answer| {
        of_objects(answer, |_| Found::Long(0, u32::MAX))
    }),
    (
        "an object in parts that are too short",
        true,
        |_, answer| match answer {
            Response::Part(part) => Some(Response::Part(part[..part.len() / 2].to_vec()).encode()),
            answer => of_objects(answer, |found| match found {
                Found::Whole(tag, bytes) => Found::Long(tag, bytes.len() as u32),
                other => other,
            }),
        },
    ),
    ("an answer to something else", true, |_, _| {
        Some(Response::Part(vec![1]).encode())
    }),
    ("a forged certificate", true, |_, answer| {
        let answer = match answer {
            Response::Round(Some(mut offer)) => {
                let other = offer.certificate.signatures[0];
                offer.certificate.signatures[1] = other;
                Response::Round(Some(offer))
            }
            answer => answer,
        };
        Some(answer.encode())
    }),
    ("always later", false, |_, answer| {
        of_objects(answer, |_| Found::Later)
    }),
    ("no answer", false, |_, _| None),
];

pub(super) fn liar(honest: Answer, lie: Lie) -> Answer {
    Arc::new(move |question| {
        let answer = Response::decode_all(&mut &honest(question)?[..]).unwrap();
        let question = Request::decode_all(&mut &question[..]).unwrap();
        lie(question, answer)
    })
}

#[tokio::test]
async fn whoever_lies_is_banned_and_another_is_asked() {
    let whole = Whole::new();
    for (name, proven, lie) in LIES {
        let newcomer = whole.newcomer();
        newcomer.sees_ethereum();
        let liar = newcomer.wire.add(liar(whole.server(), lie));
        newcomer.wire.add(whole.server());
        newcomer.join().await;
        assert_eq!(newcomer.taken(), SETTLED, "{name}");
        newcomer.agrees_with(&whole);
        let banned = newcomer.wire.banned.lock().clone();
        assert_eq!(banned.contains(&liar), proven, "{name}");
        assert!(banned.len() <= 1, "{name}: an honest peer is banned");
    }
}

#[tokio::test(start_paused = true)]
async fn nothing_is_taken_of_those_who_lie() {
    let whole = Whole::new();
    for (name, proven, lie) in LIES {
        let newcomer = whole.newcomer();
        newcomer.sees_ethereum();
        newcomer.wire.add(liar(whole.server(), lie));
        newcomer.join().await;
        assert_eq!(newcomer.taken(), 0, "{name}");
        assert!(newcomer.is_far(), "{name}");
        // A liar is asked once.
        if proven {
            let asked = newcomer.wire.asked.load(Ordering::Relaxed);
            newcomer.join().await;
            assert_eq!(newcomer.wire.asked.load(Ordering::Relaxed), asked, "{name}");
        }
    }
}

#[tokio::test]
async fn an_offer_of_another_round_or_of_too_few_is_none() {
    let whole = Whole::new();
    let good = certify(&whole.world, SETTLED);
    let offers: [(bool, fn(&mut Certificate)); 4] = [
        (true, |certificate| {
            certificate.signatures.pop();
            certificate.signers = vec![3];
        }),
        (true, |certificate| certificate.statement.block_number += 1),
        (true, |certificate| certificate.statement.anchor.number += 1),
        // Of a set that this node does not ask: no lie.
        (false, |certificate| certificate.statement.set_id += 1),
    ];
    for (is_lie, change) in offers {
        let mut wrong = good.clone();
        change(&mut wrong);
        let newcomer = whole.newcomer();
        newcomer.sees_ethereum();
        let honest = whole.server();
        let other: Answer = Arc::new(move |question| {
            let answer = Response::decode_all(&mut &honest(question)?[..]).unwrap();
            let answer = match answer {
                Response::Round(Some(mut offer)) => {
                    offer.certificate = wrong.clone();
                    Response::Round(Some(offer))
                }
                answer => answer,
            };
            Some(answer.encode())
        });
        let peer = newcomer.wire.add(other);
        newcomer.join().await;
        assert_eq!(newcomer.taken(), 0);
        // For the rounds before it, its certificate is one of another block: that is a lie in any case.
        assert!(newcomer.wire.banned.lock().contains(&peer) || !is_lie);
    }
}

#[tokio::test]
async fn bodies_of_batches_are_checked() {
    let whole = Whole::new();
    // All zeros, and nothing in it.
    let mut body = Batch::decode(&mut &[0u8; 1_024][..]).unwrap();
    body.spent = 7;
    body.header.content = gear_exe_primitives::batch::content_hash(&[], 7, 0, &[]);
    let digest = body.header.digest(&DOMAIN);
    let kept = put(BATCHES, digest, &body);
    whole.world.store.apply([kept]).unwrap();
    let newcomer = whole.newcomer();
    let client = Client::new(newcomer.wire.clone());
    assert!(client.batch(digest, &DOMAIN).await.is_none());
    let mut other = body.clone();
    other.spent = 8;
    let lie: Answer = Arc::new(move |_| Some(Response::Batch(Some(other.encode())).encode()));
    let liar = newcomer.wire.add(lie);
    newcomer.wire.add(whole.server());
    assert_eq!(client.batch(digest, &DOMAIN).await, Some(body));
    assert_eq!(*newcomer.wire.banned.lock(), [liar]);
    assert!(client.batch(batch(1).digest, &DOMAIN).await.is_none());
}

#[test]
fn a_server_answers_within_bounds() {
    let whole = Whole::new();
    let server = whole.server();
    let ask = |question: &Request| {
        let answer = server(&question.encode()).unwrap();
        Response::decode_all(&mut &answer[..]).unwrap()
    };
    assert!(server(b"no question").is_none());
    assert_eq!(ask(&Request::Round(H256::zero())), Response::Round(None));
    assert_eq!(ask(&Request::Batch(H256::zero())), Response::Batch(None));
    let unknown = Wanted::Object(H256::repeat_byte(1));
    assert_eq!(
        ask(&Request::Part(unknown, u32::MAX)),
        Response::Part(Vec::new())
    );
    // The same, as often as one may ask: the answer is full in the end, and says so.
    let wanted = Wanted::Code(CodeId::of(&code()));
    let Response::Objects(found) = ask(&Request::Objects(Few::of(vec![wanted; MAX_WANTED]))) else {
        panic!("no objects");
    };
    let found = found.into_inner();
    assert_eq!(found.len(), MAX_WANTED);
    assert_eq!(found[0], Found::Whole(0, code()));
}
