//! Votes on seals: what is refused and with which number, what counts, what is a fault.

use crate::{Error, Event, Parameters, Refusal, SealResult, SettlementParameters, Votes, mock::*};
use gear_exe_primitives::{
    H256,
    batch::{BatchHeader, RouterDomain},
    signature::{CompactSignature, address_of_secret},
    vote::EmptyBatch,
};
use polkadot_sdk::{
    frame_support::{assert_noop, assert_ok},
    frame_system::RawOrigin,
    sp_runtime::{DispatchError, transaction_validity::TransactionSource},
};

fn refused(result: Voted, refusal: Refusal) {
    assert_eq!(result, Err(refusal.into()));
}

#[test]
fn a_quorum_makes_a_batch_ready() {
    run(|| {
        next_block();
        let header = batch_of(1, 1);
        let digest = header.digest(&DOMAIN);
        sign(2, &header).unwrap();
        sign(0, &header).unwrap();
        assert_eq!(seal(1).result, None);
        assert!(Settlement::ready_batches().is_empty());
        assert_eq!(Settlement::seals()[0].voted.len(), 2);
        sign(3, &header).unwrap();
        assert_eq!(seal(1).result, Some(SealResult::Ready(digest)));
        let [batch] = &Settlement::ready_batches()[..] else {
            panic!("one batch is ready");
        };
        assert_eq!((batch.header, batch.digest), (header, digest));
        assert_eq!(batch.signers, [0b1101]);
        let signers: Vec<_> = batch
            .signatures
            .iter()
            .map(|signature| signature.recover(digest).unwrap())
            .collect();
        assert_eq!(signers, [address(0), address(2), address(3)]);
        // A late one is noted, and costs nobody gas.
        sign(1, &header).unwrap();
        assert_eq!(Settlement::ready_batches()[0].signatures.len(), 3);
        assert!(Settlement::seals()[0].decided);
    });
}

#[test]
fn heads_and_weight_must_be_above_two_thirds() {
    run(|| {
        Heavy::mutate(|heavy| heavy.insert(0, 100));
        new_session(0..4);
        // The Router takes the weights over with the first batch.
        next_block();
        let handover = ready(newest());
        let mut held = applied(&handover, &root(), 1);
        held.set_id = 1;
        let tip = mine_with(root(), held);
        follow(tip);
        let header = batch_of(newest(), 2);
        for validator in 1..4 {
            sign(validator, &header).unwrap();
        }
        assert_eq!(seal(newest()).result, None);
        sign(0, &header).unwrap();
        assert!(seal(newest()).result.is_some());
        // The heaviest, and as few others as make more than two thirds of the heads.
        assert_eq!(Settlement::ready_batches()[0].signers, [0b111]);
    });
}

#[test]
fn each_wrong_part_of_a_header_is_refused() {
    run(|| {
        next_block();
        let good = batch_of(1, 1);
        let other = H256::repeat_byte(9);
        let wrong = [
            BatchHeader {
                genesis: other,
                ..good
            },
            BatchHeader { nonce: 2, ..good },
            BatchHeader {
                parent: other,
                ..good
            },
            BatchHeader {
                anchor_number: 99,
                ..good
            },
            BatchHeader {
                anchor_hash: other,
                ..good
            },
            BatchHeader {
                expiry: good.expiry + 1,
                ..good
            },
            // A round after the seal.
            BatchHeader {
                last_round: 2,
                ..good
            },
        ];
        for header in wrong {
            refused(sign(0, &header), Refusal::Header);
        }
        let foreign = BatchHeader { set_id: 1, ..good };
        refused(sign(0, &foreign), Refusal::Set);
        // No seal there, or on another fork.
        let unsealed = BatchHeader {
            seal_number: 2,
            ..good
        };
        refused(sign(0, &unsealed), Refusal::Seal);
        let forked = BatchHeader {
            seal_hash: other,
            ..good
        };
        refused(sign(0, &forked), Refusal::Seal);
        assert_eq!(Votes::<Test>::iter().count(), 0);
        sign(0, &good).unwrap();
    });
}

#[test]
fn a_round_that_the_router_has_is_not_the_last_again() {
    run(|| {
        next_block();
        let header = ready(1);
        let tip = mine_with(root(), applied(&header, &root(), 0));
        follow(tip);
        let back = BatchHeader {
            last_round: 0,
            ..batch_of(newest(), 1)
        };
        refused(sign(0, &back), Refusal::Header);
    });
}

#[test]
fn forged_signatures() {
    run(|| {
        next_block();
        let header = batch_of(1, 1);
        refused(sign_as(1, 0, &header), Refusal::Signature);
        refused(sign_as(4, 4, &header), Refusal::Index);
        // For another Router.
        let elsewhere = RouterDomain {
            chain_id: 1,
            ..DOMAIN
        };
        let signature = CompactSignature::sign(&secret(0), header.digest(&elsewhere)).unwrap();
        let source = TransactionSource::External;
        let result = Settlement::authorize_signature(source, &header, &0, &signature);
        assert_eq!(result.map(|_| ()), Err(Refusal::Signature.into()));
        // A statement of emptiness on another chain.
        let empty = empty_of(1);
        let signature = CompactSignature::sign(&secret(0), empty.digest(H256::zero())).unwrap();
        let result = Settlement::authorize_empty(source, &empty, &0, &signature);
        let genuine = Settlement::genesis_hash() == H256::zero();
        assert_eq!(result.is_ok(), genuine);
    });
}

#[test]
fn a_seals_own_block_cannot_carry_votes() {
    run(|| {
        use polkadot_sdk::frame_support::traits::Hooks;
        Settlement::on_finalize(1);
        refused(sign(0, &batch_of(1, 1)), Refusal::Seal);
    });
}

#[test]
fn nobody_speaks_twice() {
    run(|| {
        next_block();
        let header = batch_of(1, 1);
        sign(0, &header).unwrap();
        refused(sign(0, &header), Refusal::Said);
        vote_empty(1, empty_of(1)).unwrap();
        refused(vote_empty(1, empty_of(1)), Refusal::Said);
        assert_eq!(events().len(), 1);
    });
}

#[test]
fn empty_takes_no_nonce() {
    run(|| {
        next_block();
        let empty = empty_of(1);
        refused(
            vote_empty(0, EmptyBatch { set_id: 1, ..empty }),
            Refusal::Set,
        );
        let elsewhere = EmptyBatch {
            seal_hash: H256::zero(),
            ..empty
        };
        refused(vote_empty(0, elsewhere), Refusal::Seal);
        nothing(1);
        assert_eq!(seal(1).result, Some(SealResult::Empty));
        assert!(Settlement::ready_batches().is_empty());
        assert!(Settlement::seals().is_empty());
        follow(mine(root()));
        assert_eq!(batch_of(newest(), 1).nonce, 1);
        assert!(events().contains(&Event::BatchEmpty { seal: 1 }));
    });
}

/// Case 16: two digests of one key for one seal.
#[test]
fn two_digests_for_one_seal_are_a_fault_that_can_be_proven() {
    run(|| {
        next_block();
        let (first, second) = (batch_of(1, 1), batch_of(1, 2));
        sign(0, &first).unwrap();
        sign(0, &second).unwrap();
        // Whoever punishes learns of it at once.
        let signer = address_of_secret(&secret(0)).unwrap();
        let set_id = Settlement::validator_set().id;
        assert_eq!(ToldFaults::get(), [(set_id, signer, 1, seal(1).hash)]);
        let fault = events().pop();
        let Some(Event::Equivocation {
            seal: 1,
            validator: 0,
            first: a,
            first_signature,
            second: b,
            second_signature,
        }) = fault
        else {
            panic!("a fault: {fault:?}");
        };
        assert_eq!((a, b), (first.digest(&DOMAIN), second.digest(&DOMAIN)));
        assert_eq!(first_signature.recover(a), Ok(address(0)));
        assert_eq!(second_signature.recover(b), Ok(address(0)));
        // Only the first one counts, and the fault is told once.
        refused(sign(0, &batch_of(1, 3)), Refusal::Said);
        sign(1, &second).unwrap();
        sign(2, &second).unwrap();
        assert_eq!(seal(1).result, None);
        sign(3, &second).unwrap();
        assert_eq!(Settlement::ready_batches()[0].signers, [0b1110]);
    });
}

#[test]
fn empty_and_a_digest_for_one_seal_are_a_fault() {
    run(|| {
        next_block();
        vote_empty(0, empty_of(1)).unwrap();
        sign(0, &batch_of(1, 1)).unwrap();
        sign(1, &batch_of(1, 1)).unwrap();
        vote_empty(1, empty_of(1)).unwrap();
        let faults = events()
            .into_iter()
            .filter_map(|event| match event {
                Event::Equivocation { validator, .. } => Some(validator),
                _ => None,
            })
            .collect::<Vec<_>>();
        assert_eq!(faults, [0, 1]);
    });
}

#[test]
fn a_new_digest_at_a_new_seal_is_no_fault() {
    run(|| {
        next_block();
        sign(0, &batch_of(1, 1)).unwrap();
        blocks(20);
        sign(0, &batch_of(newest(), 2)).unwrap();
        assert_eq!(
            events()
                .iter()
                .filter(|event| matches!(event, Event::Equivocation { .. }))
                .count(),
            0
        );
    });
}

#[test]
fn only_authorised_calls_are_votes() {
    run(|| {
        next_block();
        let header = batch_of(1, 1);
        let signature = CompactSignature::sign(&secret(0), header.digest(&DOMAIN)).unwrap();
        let call = |origin| Settlement::submit_batch_signature(origin, header, 0, signature);
        assert_noop!(call(RawOrigin::Signed(1).into()), DispatchError::BadOrigin);
        let empty = empty_of(1);
        assert_noop!(
            Settlement::submit_empty(RawOrigin::None.into(), empty, 0, signature),
            DispatchError::BadOrigin
        );
        assert_ok!(call(RawOrigin::Authorized.into()));
    });
}

#[test]
fn rules_under_which_no_batch_is_made_are_refused() {
    run(|| {
        let rules = SettlementParameters {
            max_in_flight: 3,
            ..Default::default()
        };
        assert_ok!(Settlement::apply_parameters(rules));
        assert_eq!(Parameters::<Test>::get(), rules);
        let mut zeros = [rules; 5];
        zeros[0].max_in_flight = 0;
        zeros[1].expiry_seconds = 0;
        zeros[2].patience = 0;
        zeros[3].limits.max_bytes = 0;
        zeros[4].limits.max_gas = 0;
        for zero in zeros {
            assert_noop!(
                Settlement::apply_parameters(zero),
                Error::<Test>::ZeroParameter
            );
        }
    });
}
