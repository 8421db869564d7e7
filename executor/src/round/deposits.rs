//! Deposits: ETH that users have put by at the Router, for the value of their native messages.
//!
//! The state knows how much of it each user has ([`Ledger::deposits`](crate::state::root::Ledger)), Ethereum only the sum: it
//! is custody of [`ActorId::DEPOSITS`]. A native message moves its value from there to its program, before it is put into the
//! queue; one that fails moves it back. So a wei is in a user's deposit or with a program, never in both, and what a message
//! takes the next one does not find: the order of the round decides, withdrawals included.

use super::{Round, signed, to_mirror};
use crate::{RoundError, state::root::Outgoing};
use gear_exe_primitives::{
    ActorId, H160, MessageId,
    round::NativeMessage,
    transition::{StateTransition, ValueClaim},
};

impl Round<'_> {
    /// What the round does to a program, or to the deposits. Nothing if there is no such program.
    fn change(&mut self, actor: ActorId) -> Result<Option<&mut StateTransition>, RoundError> {
        if actor == ActorId::DEPOSITS {
            self.budget.touch(actor);
            return Ok(Some(&mut self.deposits));
        }
        Ok(self.work(actor)?.map(|work| &mut work.change))
    }

    /// Custody goes from one program to another, or from or to the deposits.
    pub(super) fn transfer(
        &mut self,
        from: ActorId,
        to: ActorId,
        value: u128,
    ) -> Result<(), RoundError> {
        let moved = signed(value)?;
        if moved == 0 {
            return Ok(());
        }
        if let Some(change) = self.change(from)? {
            let rest = change.net_transfer.checked_sub(moved);
            change.net_transfer = rest.ok_or(RoundError::Overflow)?;
        }
        if let Some(change) = self.change(to)? {
            let sum = change.net_transfer.checked_add(moved);
            change.net_transfer = sum.ok_or(RoundError::Overflow)?;
        }
        Ok(())
    }

    /// Pays a user out of custody on Ethereum.
    pub(super) fn claimed(&mut self, actor: ActorId, claim: ValueClaim) -> Result<(), RoundError> {
        if let Some(change) = self.change(actor)? {
            to_mirror(change, claim.value)?;
            change.value_claims.push(claim);
        }
        Ok(())
    }

    /// A user has `value` more.
    pub(super) fn credit(&mut self, account: H160, value: u128) -> Result<(), RoundError> {
        let (content, key) = (self.scope.content, ActorId::from(account));
        let all = &mut self.ledger.deposits;
        let before = all.get(content, &key)?.unwrap_or_default();
        let sum = before.checked_add(value).ok_or(RoundError::Overflow)?;
        if sum > 0 {
            all.insert(content, &key, &sum)?;
        }
        tracing::debug!(?account, value, deposit = sum, "deposit credited");
        Ok(())
    }

    /// A user has less: `least` to `most` wei of it, as much as there is. Nothing is taken if there is less than `least`.
    fn debit(
        &mut self,
        account: H160,
        least: u128,
        most: u128,
    ) -> Result<Option<u128>, RoundError> {
        let (content, key) = (self.scope.content, ActorId::from(account));
        let all = &mut self.ledger.deposits;
        let before = all.get(content, &key)?.unwrap_or_default();
        if before < least {
            return Ok(None);
        }
        let taken = before.min(most);
        match before - taken {
            0 => {
                all.remove(content, &key)?;
            }
            rest => all.insert(content, &key, &rest)?,
        }
        tracing::debug!(?account, taken, deposit = before - taken, "deposit debited");
        Ok(Some(taken))
    }

    /// Moves the value of a native message from its sender's deposit to its program. False, and nothing is moved, if the
    /// deposit does not cover it.
    pub(super) fn spend(&mut self, native: &NativeMessage) -> Result<bool, RoundError> {
        let value = native.value;
        if value == 0 {
            return Ok(true);
        }
        if self.debit(native.source, value, value)?.is_none() {
            return Ok(false);
        }
        self.transfer(ActorId::DEPOSITS, native.destination, value)?;
        Ok(true)
    }

    /// Moves value in a program's custody to a user's deposit.
    pub(super) fn refund(
        &mut self,
        actor: ActorId,
        account: H160,
        value: u128,
    ) -> Result<(), RoundError> {
        self.transfer(actor, ActorId::DEPOSITS, value)?;
        self.credit(account, value)
    }

    /// A user wants `amount` of its deposit back, or what there is of it.
    pub(super) fn withdraw(
        &mut self,
        account: H160,
        amount: u128,
        id: MessageId,
    ) -> Result<(), RoundError> {
        let Some(value @ 1..) = self.debit(account, 0, amount)? else {
            tracing::debug!(?account, withdrawal = %id, "there is nothing to withdraw");
            return Ok(());
        };
        let claim = ValueClaim {
            message_id: id,
            destination: account,
            value,
        };
        self.outgoing(ActorId::DEPOSITS, Outgoing::Claim(claim))
    }
}
