// SPDX-License-Identifier: GPL-3.0-or-later

//! A fungible token with the functions of ERC-20, written with Sails. Wallets and contracts call it through its Mirror (see
//! `IVft.sol`), Sails clients with SCALE. Its Mirror emits `Transfer` and `Approval` with the same topics as any ERC-20, so
//! block explorers show token transfers.
//!
//! Whoever creates the program owns it and may mint.

#![no_std]

use core::cell::RefCell;
use sails_rs::{collections::BTreeMap, prelude::*};

mod amount;

pub use amount::Amount;

struct State {
    owner: ActorId,
    name: String,
    symbol: String,
    decimals: u16,
    total_supply: Amount,
    balances: BTreeMap<ActorId, Amount>,
    allowances: BTreeMap<(ActorId, ActorId), Amount>,
}

impl State {
    fn balance_of(&self, who: ActorId) -> Amount {
        self.balances.get(&who).copied().unwrap_or_default()
    }

    /// Balances of zero are not stored.
    fn set_balance(&mut self, who: ActorId, balance: Amount) {
        if balance.is_zero() {
            self.balances.remove(&who);
        } else {
            self.balances.insert(who, balance);
        }
    }

    fn allowance(&self, owner: ActorId, spender: ActorId) -> Amount {
        self.allowances
            .get(&(owner, spender))
            .copied()
            .unwrap_or_default()
    }

    fn set_allowance(&mut self, owner: ActorId, spender: ActorId, allowance: Amount) {
        if allowance.is_zero() {
            self.allowances.remove(&(owner, spender));
        } else {
            self.allowances.insert((owner, spender), allowance);
        }
    }

    fn transfer(&mut self, from: ActorId, to: ActorId, value: Amount) {
        assert!(
            to != ActorId::zero(),
            "tokens cannot be sent to the zero address"
        );
        let left = self
            .balance_of(from)
            .checked_sub(value)
            .expect("the balance is too small");
        // Stored before the other balance is read: both may be the same account.
        self.set_balance(from, left);
        let sum = self
            .balance_of(to)
            .checked_add(value)
            .expect("no balance exceeds the supply");
        self.set_balance(to, sum);
    }
}

#[event]
#[sails_type]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum VftEvents {
    /// Tokens have a new holder; minted tokens come from the zero address.
    Transfer {
        #[indexed]
        from: ActorId,
        #[indexed]
        to: ActorId,
        value: Amount,
    },
    /// An account lets another one spend that much of its tokens.
    Approval {
        #[indexed]
        owner: ActorId,
        #[indexed]
        spender: ActorId,
        value: Amount,
    },
}

pub struct Vft<'a>(&'a RefCell<State>);

#[service(events = VftEvents)]
impl Vft<'_> {
    /// Creates tokens for `to`. Only the owner of the program may do this.
    #[export]
    pub fn mint(&mut self, to: ActorId, value: Amount) -> bool {
        let mut state = self.0.borrow_mut();
        assert!(
            Syscall::message_source() == state.owner,
            "only the owner mints"
        );
        assert!(
            to != ActorId::zero(),
            "tokens cannot be sent to the zero address"
        );
        state.total_supply = state
            .total_supply
            .checked_add(value)
            .expect("the supply would overflow");
        let balance = state
            .balance_of(to)
            .checked_add(value)
            .expect("no balance exceeds the supply");
        state.set_balance(to, balance);
        self.emit(VftEvents::Transfer {
            from: ActorId::zero(),
            to,
            value,
        });
        true
    }

    /// Sends tokens of the sender to `to`.
    #[export]
    pub fn transfer(&mut self, to: ActorId, value: Amount) -> bool {
        let from = Syscall::message_source();
        self.0.borrow_mut().transfer(from, to, value);
        self.emit(VftEvents::Transfer { from, to, value });
        true
    }

    /// Lets `spender` spend up to `value` of the sender's tokens. Replaces what was approved before.
    #[export]
    pub fn approve(&mut self, spender: ActorId, value: Amount) -> bool {
        let owner = Syscall::message_source();
        self.0.borrow_mut().set_allowance(owner, spender, value);
        self.emit(VftEvents::Approval {
            owner,
            spender,
            value,
        });
        true
    }

    /// Sends tokens of `from` to `to`, within what `from` approved for the sender.
    #[export]
    pub fn transfer_from(&mut self, from: ActorId, to: ActorId, value: Amount) -> bool {
        let mut state = self.0.borrow_mut();
        let spender = Syscall::message_source();
        let left = state
            .allowance(from, spender)
            .checked_sub(value)
            .expect("the allowance is too small");
        state.set_allowance(from, spender, left);
        state.transfer(from, to, value);
        self.emit(VftEvents::Transfer { from, to, value });
        true
    }

    /// How many tokens an account holds.
    #[export]
    pub fn balance_of(&self, account: ActorId) -> Amount {
        self.0.borrow().balance_of(account)
    }

    /// How much `spender` may still spend of the tokens of `owner`.
    #[export]
    pub fn allowance(&self, owner: ActorId, spender: ActorId) -> Amount {
        self.0.borrow().allowance(owner, spender)
    }

    /// How many tokens there are.
    #[export]
    pub fn total_supply(&self) -> Amount {
        self.0.borrow().total_supply
    }

    /// The name of the token.
    #[export]
    pub fn name(&self) -> String {
        self.0.borrow().name.clone()
    }

    /// The symbol of the token.
    #[export]
    pub fn symbol(&self) -> String {
        self.0.borrow().symbol.clone()
    }

    /// How many digits of an amount are behind the decimal point.
    #[export]
    pub fn decimals(&self) -> u16 {
        self.0.borrow().decimals
    }

    fn emit(&self, event: VftEvents) {
        self.emit_eth_event(event).expect("the event is sent");
    }
}

pub struct Program(RefCell<State>);

#[program]
impl Program {
    /// Creates a token without supply.
    pub fn create(name: String, symbol: String, decimals: u16) -> Self {
        Self(RefCell::new(State {
            owner: Syscall::message_source(),
            name,
            symbol,
            decimals,
            total_supply: Amount::default(),
            balances: BTreeMap::new(),
            allowances: BTreeMap::new(),
        }))
    }

    pub fn vft(&self) -> Vft<'_> {
        Vft(&self.0)
    }
}
