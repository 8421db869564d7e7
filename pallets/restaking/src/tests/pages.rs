//! Which pages are taken, and when a snapshot is complete.

use crate::{Error, Event, MissReason, Pages, Refusal, SnapshotState, Snapshots, mock::*};
use codec::{Decode, Encode};
use gear_exe_primitives::{
    restaking::VaultStake,
    stake_pages::{self, OPERATORS_PER_PAGE, OperatorStake, PageProof, StakePage, VaultAmount},
    vote::SnapshotVote,
};
use polkadot_sdk::{
    frame_support::{BoundedVec, assert_noop},
    frame_system::RawOrigin,
    sp_runtime::transaction_validity::TransactionSource,
};

/// Twenty operators, in three pages.
fn twenty(test: impl FnOnce(Vec<VaultStake>)) {
    run(|| {
        for account in 0..20 {
            crate::Pallet::<Test>::bind(&account, address(account), 0);
        }
        next_era();
        test(weth(
            &(0..20).map(|account| (account, ETH)).collect::<Vec<_>>(),
        ));
    });
}

fn state() -> SnapshotState {
    Snapshots::<Test>::get(2).unwrap().state
}

fn vote_for(pages: &[StakePage]) {
    let vote = vote(pages);
    for validator in 0..3 {
        send_vote(validator, vote).unwrap();
    }
}

#[test]
fn pages_come_in_any_order_and_count_when_all_are_there() {
    twenty(|stakes| {
        let pages = pages(&stakes);
        assert_eq!(pages.len(), 20usize.div_ceil(OPERATORS_PER_PAGE as usize));
        assert_eq!(send_page(&pages, 0), Err(Refusal::State.into()));
        vote_for(&pages);
        send_page(&pages, 2).unwrap();
        assert_eq!(send_page(&pages, 2), Err(Refusal::Said.into()));
        send_page(&pages, 0).unwrap();
        assert!(Restaking::stakes(2).is_empty());
        send_page(&pages, 1).unwrap();
        assert_eq!(Restaking::stakes(2).len(), 20);
        assert!(events().contains(&Event::SnapshotAccepted {
            era: 2,
            total: 20 * ETH
        }));
        let SnapshotState::Accepted { total, .. } = state() else {
            panic!("not accepted");
        };
        assert_eq!(total, 20 * ETH);
        assert_eq!(
            Restaking::vault_stakes(2, &7),
            [VaultAmount {
                vault: gear_exe_primitives::H160::repeat_byte(1),
                collateral: WETH,
                amount: ETH
            }]
        );
        assert_eq!(Restaking::capture(2), Some(header(2).timestamp));
    });
}

#[test]
fn what_is_not_agreed_is_refused() {
    twenty(|stakes| {
        let pages = pages(&stakes);
        vote_for(&pages);
        let (era, capture) = open();
        let proof = |index| stake_pages::proof(era, capture.timestamp, &pages, index).unwrap();
        let check = |era: u32, index: u32, page: &StakePage, proof: &PageProof| {
            Restaking::authorize_page(TransactionSource::External, &era, &index, page, proof)
                .map(|_| ())
        };
        let mut lie = pages[0].clone();
        lie[0].vaults[0].amount += 1;
        assert_eq!(check(2, 0, &lie, &proof(0)), Err(Refusal::Proof.into()));
        assert_eq!(
            check(2, 0, &pages[1], &proof(1)),
            Err(Refusal::Proof.into())
        );
        assert_eq!(
            check(2, 1, &pages[0], &proof(0)),
            Err(Refusal::Proof.into())
        );
        assert_eq!(
            check(2, 0, &pages[0], &Default::default()),
            Err(Refusal::Proof.into())
        );
        assert_eq!(check(1, 0, &pages[0], &proof(0)), Err(Refusal::Era.into()));
        assert_eq!(check(3, 0, &pages[0], &proof(0)), Err(Refusal::Era.into()));
        for index in [3, 63, 64, u32::MAX] {
            assert_eq!(
                check(2, index, &pages[0], &proof(0)),
                Err(Refusal::Pages.into())
            );
        }
        assert!(check(2, 0, &pages[0], &proof(0)).is_ok());
        assert_noop!(
            Restaking::submit_page(
                RawOrigin::Authorized.into(),
                3,
                0,
                pages[0].clone(),
                proof(0)
            ),
            Error::<Test>::NotWanted
        );
        plan();
        assert_eq!(check(2, 0, &pages[0], &proof(0)), Err(Refusal::Era.into()));
    });
}

#[test]
fn oversized_pages_do_not_decode() {
    let stake = OperatorStake {
        operator: address(0),
        vaults: Default::default(),
    };
    let many = vec![stake.clone(); OPERATORS_PER_PAGE as usize + 1];
    assert!(StakePage::decode(&mut &many.encode()[..]).is_err());
    let vault = VaultAmount {
        vault: address(1),
        collateral: WETH,
        amount: 1,
    };
    let vaults = vec![vault; stake_pages::MAX_VAULTS as usize + 1];
    assert!(OperatorStake::decode(&mut &(address(0), vaults).encode()[..]).is_err());
    assert!(PageProof::decode(&mut &vec![WETH; 7].encode()[..]).is_err());
}

/// Makes other pages of honest ones.
type Forgery = Box<dyn Fn(Vec<StakePage>) -> Vec<StakePage>>;

/// Only a quorum of liars gets this far. The chain goes on without ETH.
#[test]
fn pages_that_no_honest_node_makes_count_for_nothing() {
    let stranger = OperatorStake {
        operator: address(77),
        vaults: BoundedVec::truncate_from(vec![VaultAmount {
            vault: address(1),
            collateral: WETH,
            amount: ETH,
        }]),
    };
    let bad: Vec<Forgery> = vec![
        // One operator twice, in one page or in two; a stranger; the wrong order.
        Box::new(|mut pages| {
            let first = pages[0][0].clone();
            pages[0][1] = first;
            pages
        }),
        Box::new(|mut pages| {
            pages[1] = pages[0].clone();
            pages
        }),
        Box::new(move |mut pages| {
            pages[2][0] = stranger.clone();
            pages
        }),
        Box::new(|mut pages| {
            pages.reverse();
            pages
        }),
    ];
    for make in bad {
        twenty(|stakes| {
            let pages = make(pages(&stakes));
            vote_for(&pages);
            for index in 0..3 {
                send_page(&pages, index).unwrap();
            }
            assert_eq!(state(), SnapshotState::Missed);
            assert!(events().contains(&Event::SnapshotMissed {
                era: 2,
                reason: MissReason::Malformed
            }));
            assert!(Restaking::stakes(2).is_empty());
            assert_eq!(Pages::<Test>::iter().count(), 0);
            next_era();
            agree(&stakes);
            assert_eq!(Restaking::stakes(3).len(), 20);
        });
    }
}

#[test]
fn a_root_without_pages_is_dropped_with_its_era() {
    twenty(|stakes| {
        let pages = pages(&stakes);
        vote_for(&pages);
        send_page(&pages, 1).unwrap();
        next_era();
        // What there was before counts again; here, nothing.
        assert_eq!(state(), SnapshotState::Reused { total: 0 });
        assert_eq!(Pages::<Test>::iter().count(), 0);
        assert!(Restaking::stakes(2).is_empty());
    });
}

/// The right root with a wrong number of pages cannot be completed: such a vote is another one.
#[test]
fn the_number_of_pages_is_part_of_the_vote() {
    twenty(|stakes| {
        let right = vote(&pages(&stakes));
        let wrong = SnapshotVote { pages: 2, ..right };
        send_vote(0, right).unwrap();
        send_vote(1, right).unwrap();
        send_vote(2, wrong).unwrap();
        assert_eq!(state(), SnapshotState::Voting);
        send_vote(3, right).unwrap();
        assert!(matches!(state(), SnapshotState::Agreed { pages: 3, .. }));
    });
}
