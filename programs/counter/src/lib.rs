// SPDX-License-Identifier: GPL-3.0-or-later

//! A counter, written with Sails. Ethereum wallets and contracts call it with ordinary ABI calldata through its Mirror; see
//! `ICounter.sol` for the functions and `README.md` for their selectors. Sails clients call the same methods with SCALE.
//!
//! It also keeps ETH for its callers: `deposit` takes the value of the message, `withdraw` sends it back with the reply.

#![no_std]

use core::cell::RefCell;
use sails_rs::{collections::BTreeMap, prelude::*};

#[derive(Default)]
struct State {
    value: u32,
    deposits: BTreeMap<ActorId, u128>,
}

#[event]
#[sails_type]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CounterEvents {
    /// The counter has a new value.
    Changed {
        #[indexed]
        by: ActorId,
        value: u32,
    },
}

pub struct Counter<'a>(&'a RefCell<State>);

#[service(events = CounterEvents)]
impl Counter<'_> {
    /// Adds to the counter and returns its new value. Fails when that does not fit.
    #[export]
    pub fn add(&mut self, amount: u32) -> u32 {
        let value = self
            .0
            .borrow()
            .value
            .checked_add(amount)
            .expect("the counter would overflow");
        self.set(value)
    }

    /// Subtracts from the counter and returns its new value. Fails when that would be negative.
    #[export]
    pub fn sub(&mut self, amount: u32) -> u32 {
        let value = self
            .0
            .borrow()
            .value
            .checked_sub(amount)
            .expect("the counter would be negative");
        self.set(value)
    }

    /// The value of the counter.
    #[export]
    pub fn value(&self) -> u32 {
        self.0.borrow().value
    }

    /// Keeps the value of this message for its sender. Returns what the sender has here now, in wei.
    #[export(payable)]
    pub fn deposit(&mut self) -> u128 {
        let mut state = self.0.borrow_mut();
        let balance = state.deposits.entry(Syscall::message_source()).or_default();
        *balance = balance
            .checked_add(Syscall::message_value())
            .expect("all ETH there is fits");
        *balance
    }

    /// Sends that much back with the reply. Returns what the sender still has here.
    #[export]
    pub fn withdraw(&mut self, amount: u128) -> CommandReply<u128> {
        let mut state = self.0.borrow_mut();
        let who = Syscall::message_source();
        let balance = state.deposits.get(&who).copied().unwrap_or_default();
        let left = balance
            .checked_sub(amount)
            .expect("the sender has less here");
        if left == 0 {
            state.deposits.remove(&who);
        } else {
            state.deposits.insert(who, left);
        }
        CommandReply::new(left).with_value(amount)
    }

    /// What somebody has deposited and not withdrawn.
    #[export]
    pub fn deposit_of(&self, who: ActorId) -> u128 {
        self.0
            .borrow()
            .deposits
            .get(&who)
            .copied()
            .unwrap_or_default()
    }

    fn set(&mut self, value: u32) -> u32 {
        self.0.borrow_mut().value = value;
        let by = Syscall::message_source();
        self.emit_eth_event(CounterEvents::Changed { by, value })
            .expect("the event is sent");
        value
    }
}

pub struct Program(RefCell<State>);

#[program]
impl Program {
    /// Starts counting at `value`.
    pub fn create(value: u32) -> Self {
        Self(RefCell::new(State {
            value,
            ..Default::default()
        }))
    }

    pub fn counter(&self) -> Counter<'_> {
        Counter(&self.0)
    }
}
