//! What waits for room in a round goes on: to Ethereum and to programs, one of each program in turn.

use super::{Round, budget::Most, route::after};
use crate::{RoundError, gas::Outward, state::root::Outgoing};
use gear_exe_primitives::ActorId;
use std::sync::atomic::Ordering::Relaxed;

/// What something comes to on Ethereum.
fn outward(outgoing: &Outgoing) -> Outward {
    match outgoing {
        Outgoing::Reply(message) | Outgoing::Mail(_, message, _) => {
            Outward::message(message.payload.len(), message.call)
        }
        Outgoing::Claim(_) => Outward::claim(),
    }
}

impl Round<'_> {
    /// Hands over what waits for Ethereum and for programs, as far as `most` of the round's budget allows: one of each
    /// program in turn, each program's own in order.
    pub(super) fn drain(&mut self, most: Most) -> Result<(), RoundError> {
        // Neither kind can keep the other out for ever.
        let programs_first = self.scope.block.number.is_multiple_of(2);
        if programs_first {
            self.drain_all_held(most)?;
        }
        self.drain_all_outgoing(most)?;
        if !programs_first {
            self.drain_all_held(most)?;
        }
        Ok(())
    }

    /// One of each program in turn, until there is nothing left or no room.
    fn drain_all_outgoing(&mut self, most: Most) -> Result<(), RoundError> {
        if self.drain_whole(most)? {
            return Ok(());
        }
        let content = self.scope.content;
        loop {
            let backlog = &mut self.ledger.outgoing;
            let next = match backlog.seek(content, self.ledger.turns.outgoing)? {
                None => backlog.seek(content, ActorId::zero())?,
                next => next,
            };
            let Some(actor) = next else {
                return Ok(());
            };
            if !self.drain_outgoing(actor, most)? {
                return Ok(());
            }
            self.ledger.turns.outgoing = after(actor);
        }
    }

    /// Hands over everything at once, if there is room for all of it: what each program sends, and whose turn it is
    /// afterwards, is the same as if one of each had gone in turn. Nothing is done if there is not, or some of it is not in
    /// memory.
    fn drain_whole(&mut self, most: Most) -> Result<bool, RoundError> {
        let Some(all) = self.ledger.outgoing.in_memory() else {
            return Ok(false);
        };
        let (mut total, mut longest) = (Outward::default(), 0);
        for line in all.values() {
            let Some(line) = line.in_memory() else {
                return Ok(false);
            };
            total = line.iter().map(outward).fold(total, Outward::plus);
            longest = longest.max(line.len());
        }
        let turn = self.ledger.turns.outgoing;
        let last = all
            .iter()
            .filter(|(_, line)| line.len() == longest as u64)
            .map(|(actor, _)| *actor)
            .max_by_key(|actor| (*actor < turn, *actor));
        let actors: Vec<ActorId> = all.keys().copied().collect();
        let Some(last) = last.filter(|_| self.fits(most, total, &actors)) else {
            return Ok(false);
        };
        self.budget.send(total);
        let mut count = 0;
        for (actor, line) in self.ledger.outgoing.take_loaded() {
            count += line.len();
            for next in line.into_front() {
                self.hand_over(actor, next)?;
            }
        }
        self.count_outgoing(count);
        self.ledger.turns.outgoing = after(last);
        Ok(true)
    }

    fn count_outgoing(&self, count: u64) {
        if self.scope.query.is_none() {
            let stats = self.scope.stats;
            stats.messages_to_ethereum.fetch_add(count, Relaxed);
        }
    }

    fn drain_all_held(&mut self, most: Most) -> Result<(), RoundError> {
        let content = self.scope.content;
        loop {
            let backlog = &mut self.ledger.held;
            let next = match backlog.seek(content, self.ledger.turns.held)? {
                None => backlog.seek(content, ActorId::zero())?,
                next => next,
            };
            let Some(actor) = next else {
                return Ok(());
            };
            if !self.drain_held(actor, most)? {
                return Ok(());
            }
            self.ledger.turns.held = after(actor);
        }
    }

    /// Hands over the next thing that a program has for Ethereum. False if the round has no room for it.
    fn drain_outgoing(&mut self, actor: ActorId, most: Most) -> Result<bool, RoundError> {
        let content = self.scope.content;
        let size = self.ledger.outgoing.take(content, actor, |line| {
            let next = line.peek(content)?;
            Ok(next.map(outward))
        })?;
        let Some(size) = size else {
            return Ok(true);
        };
        // The first of a round always goes: nothing can block the others for ever.
        if !self.budget.is_first_message() && !self.admits(most, size, &[actor]) {
            return Ok(false);
        }
        let backlog = &mut self.ledger.outgoing;
        let next = backlog.take(content, actor, |line| line.pop_front(content))?;
        let Some(next) = next else {
            return Ok(true);
        };
        self.budget.send(size);
        self.count_outgoing(1);
        self.hand_over(actor, next)?;
        Ok(true)
    }

    /// Delivers the next thing that a program has for another one. False if the round has no room for it.
    fn drain_held(&mut self, actor: ActorId, most: Most) -> Result<bool, RoundError> {
        let content = self.scope.content;
        let next = self.ledger.held.take(content, actor, |line| {
            let next = line.peek(content)?;
            Ok(next.map(|next| (next.destination(), next.outward())))
        })?;
        let Some((destination, outward)) = next else {
            return Ok(true);
        };
        if !self.admits(most, outward, &[actor, destination]) {
            return Ok(false);
        }
        let backlog = &mut self.ledger.held;
        if let Some(next) = backlog.take(content, actor, |line| line.pop_front(content))? {
            self.deliver(actor, next)?;
        }
        Ok(true)
    }

    fn hand_over(&mut self, actor: ActorId, outgoing: Outgoing) -> Result<(), RoundError> {
        match outgoing {
            Outgoing::Reply(message) => {
                let details = message
                    .reply_details
                    .map(|details| (details.to, details.code));
                tracing::debug!(program = %actor, user = ?message.destination, reply = ?details, value = message.value, "reply goes to Ethereum");
                if let Some(work) = self.work(actor)? {
                    work.move_to_mirror(message.value)?;
                    work.change.messages.push(message);
                }
            }
            Outgoing::Claim(claim) => self.claimed(actor, claim)?,
            Outgoing::Mail(user, message, reply_gas) => {
                self.mail(actor, user, message, reply_gas)?;
            }
        }
        Ok(())
    }
}
