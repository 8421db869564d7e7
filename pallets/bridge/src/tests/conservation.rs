//! Random interleavings of locks, mints that are carried or not, burns, Ethereum's finality, votes by honest and lying
//! validators, claims, pauses and set changes. After every step VARA that is locked stands behind each wVARA: those that
//! are on Ethereum, those on their way there, and those that were burned and are not paid yet.

use crate::{BURN_WINDOW, Burned, Claimable, NextBurn, mock::*};
use gear_exe_primitives::{
    H160, H256,
    facts::{Burn, Fact},
    outbox::OutboxItem,
};
use polkadot_sdk::{
    frame_support::traits::fungible::Inspect, frame_system::RawOrigin, sp_runtime::AccountId32,
};
use proptest::prelude::*;

const LIAR: u32 = 3;
/// Accounts 0 to 9 have money, the others do not exist.
const ACCOUNTS: u8 = 14;

#[derive(Clone, Copy, Debug)]
enum Action {
    Lock(u8, u128),
    /// The Router applies the next mints.
    Carry(u8),
    /// Somebody burns a share of what there is, for an account.
    Burn(u8, u8),
    /// Ethereum finalises so many more burns.
    Finalise(u8),
    /// A validator says what it sees; it may see less than what is final.
    Vote(u32, u8),
    /// The last validator says something else of a burn.
    Lie(u8, u8, u128),
    Block,
    /// Another set of the same validators, of which others weigh.
    Set(u8),
    Claim(u8),
    /// Somebody sends VARA to the bridge.
    Gift(u8, u128),
    Pause(bool),
}

fn action() -> impl Strategy<Value = Action> {
    prop_oneof![
        4 => (0..ACCOUNTS, prop_oneof![0..400u128, any::<u128>()]).prop_map(|(who, much)| Action::Lock(who, much)),
        3 => (1..4u8).prop_map(Action::Carry),
        5 => (0..ACCOUNTS, any::<u8>()).prop_map(|(who, share)| Action::Burn(who, share)),
        3 => (1..6u8).prop_map(Action::Finalise),
        12 => (0..3u32, any::<u8>()).prop_map(|(who, sees)| Action::Vote(who, sees)),
        3 => (0..20u8, 0..ACCOUNTS, any::<u128>()).prop_map(|(number, who, much)| Action::Lie(number, who, much)),
        5 => Just(Action::Block),
        1 => (0..4u8).prop_map(Action::Set),
        2 => (0..ACCOUNTS).prop_map(Action::Claim),
        1 => (0..10u8, 0..50u128).prop_map(|(who, much)| Action::Gift(who, much)),
        1 => any::<bool>().prop_map(Action::Pause),
    ]
}

/// Ethereum.
#[derive(Default)]
struct World {
    /// Items of the outbox that the Router has applied.
    carried: usize,
    /// wVARA that there is.
    supply: u128,
    burns: Vec<Burn>,
    /// Burns that are final.
    last: usize,
    gifts: u128,
}

impl World {
    fn pending(&self) -> u128 {
        Items::get()[self.carried..]
            .iter()
            .map(|item| match item {
                OutboxItem::Mint { amount, .. } => *amount,
                other => panic!("{other:?}"),
            })
            .sum()
    }

    fn act(&mut self, action: Action) {
        match action {
            Action::Lock(who, amount) => {
                let before = (free(who), held());
                let done = lock(who, H160::repeat_byte(who + 1), amount).is_ok();
                let moved = if done { amount } else { 0 };
                assert_eq!((free(who), held()), (before.0 - moved, before.1 + moved));
                // No account is emptied.
                assert!(!done || free(who) >= ED);
            }
            Action::Carry(most) => {
                for item in Items::get().iter().skip(self.carried).take(most.into()) {
                    if let OutboxItem::Mint { amount, .. } = item {
                        self.supply += amount;
                    }
                    self.carried += 1;
                }
            }
            Action::Burn(who, share) => {
                let amount = self.supply * u128::from(share) / 255;
                if amount > 0 {
                    self.supply -= amount;
                    self.burns.push(Burn {
                        number: self.burns.len() as u64,
                        account: H256::repeat_byte(who),
                        amount,
                    });
                }
            }
            Action::Finalise(more) => {
                self.last = self.burns.len().min(self.last + usize::from(more));
            }
            Action::Vote(who, sees) => {
                let next = NextBurn::<Test>::get() as usize;
                let final_here = self.last - self.last.min(usize::from(sees % 3));
                let until = final_here.min(next + BURN_WINDOW as usize);
                let facts: Vec<_> = self
                    .burns
                    .get(next..until)
                    .unwrap_or_default()
                    .iter()
                    .map(|burn| Fact::Burn(*burn))
                    .collect();
                let _ = send(who, &facts);
            }
            Action::Lie(number, who, amount) => {
                let lie = burn(NextBurn::<Test>::get() + u64::from(number), who, amount);
                let _ = send(LIAR, &[lie]);
            }
            Action::Block => {
                next_block();
            }
            Action::Set(weighs) => {
                next_set();
                // Never so much that one decides alone.
                Members::mutate(|members| {
                    for (index, member) in members.iter_mut().enumerate() {
                        member.weight = if index == usize::from(weighs) && index < 3 {
                            2
                        } else {
                            1
                        };
                    }
                });
                next_block();
            }
            Action::Claim(who) => {
                let _ = claim(who);
            }
            Action::Gift(who, amount) => {
                let origin = RawOrigin::Signed(account(who)).into();
                let before = Balances::balance(&Bridge::account());
                let _ = Balances::transfer_keep_alive(origin, Bridge::account(), amount);
                self.gifts += Balances::balance(&Bridge::account()) - before;
            }
            Action::Pause(paused) => Rules::mutate(|rules| rules.paused = paused),
        }
        Bridge::do_try_state().unwrap();
        self.check();
    }

    fn check(&self) {
        let next = NextBurn::<Test>::get() as usize;
        // No lie was ever taken.
        assert!(next <= self.last, "{next} burns, {} are final", self.last);
        let known: u128 = self.burns[..next].iter().map(|burn| burn.amount).sum();
        assert_eq!(Burned::<Test>::get(), known);
        let unknown: u128 = self.burns[next..].iter().map(|burn| burn.amount).sum();
        let owed: u128 = Claimable::<Test>::iter_values().sum();
        assert_eq!(held(), self.pending() + self.supply + unknown + owed);
        // Here nobody burns more than is backed: what is owed is dust.
        assert!(Claimable::<Test>::iter_values().all(|amount| amount < ED));
        // VARA is where it was, and no more.
        assert_eq!(Balances::total_issuance(), 10 * MONEY);
        let accounts: u128 = (0..ACCOUNTS).map(free).sum();
        assert_eq!(accounts + self.gifts + held(), 10 * MONEY);
        assert_eq!(Balances::balance(&Bridge::account()), self.gifts);
    }

    /// In the end, with everything carried, final and said, each burn is paid or owed.
    fn finish(&mut self) {
        Rules::mutate(|rules| rules.paused = false);
        self.act(Action::Carry(u8::MAX));
        self.last = self.burns.len();
        for _ in 0..=self.burns.len() {
            for who in 0..3 {
                self.act(Action::Vote(who, 0));
            }
            self.act(Action::Block);
        }
        assert_eq!(NextBurn::<Test>::get() as usize, self.burns.len());
        assert_eq!(held(), self.pending() + self.supply + owed());
    }
}

fn owed() -> u128 {
    Claimable::<Test>::iter()
        .map(|(who, amount): (AccountId32, u128)| {
            // Only who has no account.
            assert_eq!(Balances::balance(&who), 0);
            amount
        })
        .sum()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(128))]

    #[test]
    fn vara_stands_behind_each_wvara(actions in proptest::collection::vec(action(), 1..120)) {
        run(|| {
            let mut world = World::default();
            for action in actions {
                world.act(action);
            }
            world.finish();
        });
    }
}
