//! What a state holds is proved against its root alone, and nothing else is.

#![allow(clippy::unwrap_used)] // a failed unwrap is a failed test

mod common;

use codec::{Decode, Encode};
use common::{ALICE, BOB, RICH, World, actor, command, waiter};
use gear_exe_executor::state::{
    Dispatch, Expiring, MailboxMessage, PAGE_SIZE, PayloadLookup, Program,
};
use gear_exe_primitives::{
    ActorId, H160, H256, MessageId,
    hashing::blake2b256,
    proof::{
        Claim, MAX_BYTES, MAX_OBJECTS, Proof, ProofError, Proven, verify, verify_absence,
        verify_balances, verify_message, verify_page,
    },
};
use gear_exe_programs::{PING, TROUBLE};

struct Rich {
    world: World,
    trouble: ActorId,
    ping: ActorId,
    waiter: ActorId,
    waiting: Vec<MessageId>,
    queued: MessageId,
    page: u32,
}

/// A state with something of every kind in it.
fn rich() -> Rich {
    let mut world = World::new();
    world.parameters.max_round_messages = 100_000;
    world.parameters.max_round_bytes = 1 << 30;
    let others: Vec<_> = (0..60).map(|_| world.create(PING)).collect();
    for program in others {
        world.top_up(program, RICH);
        world.send(program, BOB, b"", 0);
    }
    let trouble = world.program(TROUBLE, b"");
    let ping = world.program(PING, b"");
    let waiter = world.program(&waiter(), b"");
    world.give(trouble, 1_000);
    let mut waiting = Vec::new();
    for turn in 0..70u8 {
        // Some payloads are stored apart.
        let length = if turn == 9 { 2_000 } else { 100 };
        waiting.push(world.send(waiter, ALICE, &vec![turn; length], 0));
        world.send(trouble, BOB, &command("DELAY", &[&90u32.to_le_bytes()]), 0);
        world.send(
            trouble,
            BOB,
            &command("MAILBOX", &[&7u128.to_le_bytes()]),
            0,
        );
    }
    world.send(trouble, ALICE, b"DIRTY", 0);
    world.run();
    // What nobody has gas for stays in the queue.
    world.parameters.round_gas_limit = 0;
    let mut queued = MessageId::zero();
    for turn in 0..100u8 {
        let id = world.send(ping, ALICE, &[turn; 50], 3);
        if turn == 60 {
            queued = id;
        }
    }
    world.round();
    let Program::Active {
        pages_hash: Some(pages),
        ..
    } = world.state(trouble).program
    else {
        panic!("it lives and has memory");
    };
    let regions = world.executor.memory_pages(pages).unwrap();
    let region = regions.iter().flatten().next().unwrap();
    let page = *world
        .executor
        .memory_region(*region)
        .unwrap()
        .keys()
        .next()
        .unwrap();
    Rich {
        world,
        trouble,
        ping,
        waiter,
        waiting,
        queued,
        page,
    }
}

impl Rich {
    fn prove(&self, claim: &Claim) -> (Proven, Proof) {
        let (proven, proof) = self.world.executor.prove(self.world.root, claim).unwrap();
        assert_eq!(verify(self.world.root, claim, &proof).as_ref(), Ok(&proven));
        assert_eq!(Proof::from_bytes(&proof.encode()).as_ref(), Ok(&proof));
        (proven, proof)
    }

    /// One of every kind, those that prove nothing last.
    fn claims(&self) -> Vec<Claim> {
        let (program, page) = (self.trouble, self.page);
        let stash = self.world.stash(program);
        let mailbox = self.world.mailbox(program, BOB);
        let place = self
            .world
            .executor
            .place_in_queue(self.world.root, self.ping, self.queued);
        let nobody = ActorId::from(H160::repeat_byte(9));
        vec![
            Claim::Program(program),
            Claim::Program(self.ping),
            Claim::Balances(program),
            Claim::Balances(self.ping),
            Claim::Page { program, page },
            Claim::Queued {
                program: self.ping,
                place: place.unwrap().unwrap(),
            },
            Claim::Waiting {
                program: self.waiter,
                message: self.waiting[3],
            },
            Claim::Waiting {
                program: self.waiter,
                message: self.waiting[9],
            },
            Claim::Stashed {
                program,
                message: *stash.keys().nth(5).unwrap(),
            },
            Claim::Mail {
                program,
                user: actor(BOB),
                message: *mailbox.keys().nth(5).unwrap(),
            },
            Claim::Program(nobody),
            Claim::Balances(nobody),
            Claim::Page {
                program,
                page: 100_000,
            },
            Claim::Page {
                program,
                page: u32::MAX,
            },
            Claim::Queued { program, place: 1 },
            Claim::Waiting {
                program,
                message: self.queued,
            },
            Claim::Stashed {
                program,
                message: self.waiting[3],
            },
            Claim::Mail {
                program,
                user: actor(ALICE),
                message: self.waiting[3],
            },
        ]
    }
}

const THERE: usize = 10;

#[test]
fn everything_is_proved_as_it_is() {
    let rich = rich();
    let (world, root) = (&rich.world, rich.world.root);
    for (index, claim) in rich.claims().iter().enumerate() {
        let (proven, _) = rich.prove(claim);
        assert_eq!(proven == Proven::Nothing, index >= THERE, "{claim:?}");
    }
    let state = world.state(rich.trouble);
    let (_, proof) = rich.prove(&Claim::Balances(rich.trouble));
    assert_eq!(
        verify_balances(root, rich.trouble, &proof),
        Ok(Some((state.balance, state.executable_balance)))
    );
    let (page, program) = (rich.page, rich.trouble);
    let (_, proof) = rich.prove(&Claim::Page { program, page });
    let bytes = verify_page(root, program, page, &proof).unwrap().unwrap();
    assert_eq!(bytes.len(), PAGE_SIZE);
    let Program::Active {
        pages_hash: Some(pages),
        ..
    } = state.program
    else {
        panic!("it lives and has memory");
    };
    let regions = world.executor.memory_pages(pages).unwrap();
    let region = regions.iter().flatten().next().unwrap();
    let hash = world.executor.memory_region(*region).unwrap()[&page];
    assert_eq!(blake2b256([&bytes]), hash);

    for message in &rich.waiting {
        let message = *message;
        let claim = Claim::Waiting {
            program: rich.waiter,
            message,
        };
        let (_, proof) = rich.prove(&claim);
        let bytes = verify_message(root, &claim, &proof).unwrap().unwrap();
        let waiting = Expiring::<Dispatch>::decode(&mut bytes.as_slice()).unwrap();
        assert_eq!(waiting, world.waitlist(rich.waiter)[&message]);
    }
    let apart = &world.waitlist(rich.waiter)[&rich.waiting[9]];
    assert!(matches!(apart.value.payload, PayloadLookup::Stored(_)));

    let queue = world.queue(rich.ping);
    for dispatch in &queue {
        let place = world
            .executor
            .place_in_queue(root, rich.ping, dispatch.id)
            .unwrap()
            .unwrap();
        let claim = Claim::Queued {
            program: rich.ping,
            place,
        };
        let (_, proof) = rich.prove(&claim);
        let bytes = verify_message(root, &claim, &proof).unwrap().unwrap();
        assert_eq!(&Dispatch::decode(&mut bytes.as_slice()).unwrap(), dispatch);
    }
    for (message, mail) in world.mailbox(program, BOB) {
        let claim = Claim::Mail {
            program,
            user: actor(BOB),
            message,
        };
        let (_, proof) = rich.prove(&claim);
        let bytes = verify_message(root, &claim, &proof).unwrap().unwrap();
        let found = Expiring::<MailboxMessage>::decode(&mut bytes.as_slice()).unwrap();
        assert_eq!(found, mail);
    }
    for (message, stashed) in world.stash(program) {
        let claim = Claim::Stashed { program, message };
        let (_, proof) = rich.prove(&claim);
        let bytes = verify_message(root, &claim, &proof).unwrap().unwrap();
        let found = Expiring::<(Dispatch, Option<ActorId>)>::decode(&mut bytes.as_slice());
        assert_eq!(found.unwrap(), stashed);
    }
    let nobody = ActorId::from(H160::repeat_byte(9));
    let (_, proof) = rich.prove(&Claim::Program(nobody));
    assert_eq!(verify_absence(root, nobody, &proof), Ok(()));
    let (_, proof) = rich.prove(&Claim::Program(program));
    assert!(verify_absence(root, program, &proof).is_err());
}

#[test]
fn of_nothing_nothing_is_proved() {
    let world = World::new();
    let nobody = ActorId::from(H160::repeat_byte(9));
    let (proven, proof) = world
        .executor
        .prove(H256::zero(), &Claim::Program(nobody))
        .unwrap();
    assert_eq!(proven, Proven::Nothing);
    assert_eq!(verify_absence(H256::zero(), nobody, &proof), Ok(()));
    // A state that is not stored.
    let root = H256::repeat_byte(5);
    assert!(world.executor.prove(root, &Claim::Program(nobody)).is_err());
}

#[test]
fn a_changed_byte_is_found_wherever_it_is() {
    let rich = rich();
    let root = rich.world.root;
    for claim in rich.claims() {
        let (_, proof) = rich.prove(&claim);
        for index in 0..proof.objects.len() {
            let length = proof.objects[index].len();
            // All of the short ones, a part of pages.
            let step = 1 + length / 1_500;
            for at in (0..length).step_by(step) {
                let mut forged = proof.clone();
                forged.objects[index][at] ^= 1 << (at % 8);
                assert!(
                    matches!(
                        verify(root, &claim, &forged),
                        Err(ProofError::Hash { index: found, .. }) if found == index
                    ),
                    "{claim:?}: object {index}, byte {at}"
                );
            }
            let mut forged = proof.clone();
            forged.objects[index].push(0);
            assert!(verify(root, &claim, &forged).is_err());
            let mut forged = proof.clone();
            forged.objects.remove(index);
            assert!(verify(root, &claim, &forged).is_err());
            let mut forged = proof.clone();
            forged.objects.insert(index, vec![1, 2, 3]);
            assert!(verify(root, &claim, &forged).is_err());
        }
        let mut forged = proof.clone();
        forged.objects.push(vec![0]);
        assert_eq!(verify(root, &claim, &forged), Err(ProofError::Excess));
    }
}

#[test]
fn a_proof_is_of_one_root() {
    let mut rich = rich();
    let (old, claims) = (rich.world.root, rich.claims());
    let proofs: Vec<_> = claims.iter().map(|claim| rich.prove(claim).1).collect();
    rich.world.top_up(rich.trouble, 1);
    rich.world.round();
    for (claim, proof) in claims.iter().zip(&proofs) {
        assert!(verify(old, claim, proof).is_ok());
        let forged = verify(rich.world.root, claim, proof);
        assert!(
            matches!(forged, Err(ProofError::Hash { index: 0, .. })),
            "{claim:?}"
        );
        // Of the empty state nothing but emptiness.
        assert_eq!(verify(H256::zero(), claim, proof), Err(ProofError::Excess));
    }
}

#[test]
fn a_proof_of_one_thing_is_none_of_another() {
    let rich = rich();
    let claims = rich.claims();
    let mut refused = 0;
    for claim in &claims {
        let (_, proof) = rich.prove(claim);
        for other in &claims {
            // Neighbours may be on the same way; then what is found is the truth about the other.
            match verify(rich.world.root, other, &proof) {
                Ok(found) => assert_eq!(found, rich.prove(other).0, "{claim:?} for {other:?}"),
                Err(_) => refused += 1,
            }
        }
    }
    assert!(refused > claims.len() * claims.len() * 3 / 4, "{refused}");
}

#[test]
fn proofs_from_outside_are_bounded() {
    let many = Proof {
        objects: vec![Vec::new(); MAX_OBJECTS + 1],
    };
    assert_eq!(Proof::from_bytes(&many.encode()), Err(ProofError::TooLarge));
    let long = Proof {
        objects: vec![vec![0; MAX_BYTES / 2 + 1]; 2],
    };
    assert_eq!(Proof::from_bytes(&long.encode()), Err(ProofError::TooLarge));
    let claim = Claim::Program(ActorId::zero());
    assert_eq!(
        verify(H256::zero(), &claim, &long),
        Err(ProofError::TooLarge)
    );
    // A length that is a lie.
    assert_eq!(
        Proof::from_bytes(&[0xfe, 0xff, 0xff, 0xff, 1, 2]),
        Err(ProofError::Malformed)
    );
    let mut bytes = Proof::default().encode();
    bytes.push(0);
    assert_eq!(Proof::from_bytes(&bytes), Err(ProofError::Malformed));
}
