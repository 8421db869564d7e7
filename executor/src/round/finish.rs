//! The outcome of a round: states stored, the new root, transitions and receipts. Here each program pays for its part of
//! the batch: from its executable balance, and if that is too little, from what it has set aside of it.

use super::{Round, Work};
use crate::{
    ProgramCost, RoundError,
    gas::Outward,
    state::{ProgramRecord, ProgramState, root::Root},
};
use codec::Encode;
use gear_exe_primitives::{ActorId, proof::Kind, round::RoundOutcome, transition::StateTransition};

/// What a transition comes to on Ethereum.
fn settlement(change: &StateTransition) -> Outward {
    let messages = change
        .messages
        .iter()
        .map(|message| Outward::message(message.payload.len(), message.call));
    let claims = Outward::claim().times(change.value_claims.len() as u64);
    let creation = match change.creation {
        Some(_) => Outward::creation(),
        None => Outward::default(),
    };
    let frame = Outward::frame().plus(creation).plus(claims);
    messages.fold(frame, Outward::plus)
}

/// The highest price of gas at which a starved program could run.
fn could_pay(state: &ProgramState) -> u128 {
    let gas = state.required_gas.unwrap_or(1).max(1);
    state.executable_balance / u128::from(gas)
}

impl Round<'_> {
    /// What a query's message would have cost the programs that took part in it.
    pub(super) fn costs(&self, asked: ActorId) -> Vec<ProgramCost> {
        let parameters = self.scope.parameters;
        let answer = |program| match &self.answer {
            Some(answer) if program == asked => Outward::message(answer.payload.len(), false),
            _ => Outward::default(),
        };
        let took_part = |work: &&Work| work.waves > 0 || !work.change.is_quiet();
        let programs = self.programs.iter();
        programs
            .filter(|(_, work)| took_part(work))
            .map(|(program, work)| ProgramCost {
                program: *program,
                gas: work.gas,
                gas_price: u128::from(work.gas).saturating_mul(parameters.value_per_gas),
                given: u128::from(work.given).saturating_mul(parameters.value_per_gas),
                settlement_price: settlement(&work.change)
                    .plus(answer(*program))
                    .price(parameters),
            })
            .collect()
    }

    pub(super) fn finish(mut self, work_left: bool) -> Result<RoundOutcome, RoundError> {
        let content = self.scope.content;
        self.commit_memory()?;
        self.ledger.turns.busy = self.next_turn()?;
        let mut transitions = Vec::new();
        let mut spent = 0u128;
        for (actor, mut work) in self.programs {
            let waits = !work.account.queue.is_empty();
            let mut state = work.account.store(content)?;
            let mut change = work.change;
            let quiet = change.is_quiet() && Kind::State.hash(&state.encode()) == work.before;
            if !quiet {
                // Who cannot pay for it all pays what there is: what is due to Ethereum must not wait for a top-up, and a
                // program without balance does nothing of its own.
                let price = settlement(&change).price(self.scope.parameters);
                match state.executable_balance.checked_sub(price) {
                    Some(rest) => {
                        state.executable_balance = rest;
                        work.paid = work.paid.saturating_add(price);
                    }
                    None => {
                        let paid = work.account.pay_with_all(price);
                        work.paid = work.paid.saturating_add(paid);
                        state = work.account.store(content)?;
                    }
                }
                let record = ProgramRecord {
                    code_id: work.account.code_id,
                    state_hash: content.put(&state),
                };
                change.new_state_hash = record.state_hash;
                self.records.insert(content, actor, record)?;
                transitions.push(change);
            }
            spent = spent.saturating_add(work.paid);
            if waits || work.waited {
                let starved = waits && work.starved;
                let above = starved.then(|| could_pay(&state));
                self.ledger.starve(content, actor, above)?;
                self.ledger.occupy(content, actor, waits && !starved)?;
            }
        }
        let deposits = self.ledger.deposits.store(content)?;
        let mut change = self.deposits;
        if !change.is_quiet() {
            change.new_state_hash = deposits.unwrap_or_default();
            let place =
                transitions.partition_point(|own: &StateTransition| own.actor_id < change.actor_id);
            transitions.insert(place, change);
        }
        let starved = self.ledger.first_starved(content)?;
        let state_root = Root::store(content, &self.records, &mut self.ledger)?;
        Ok(RoundOutcome {
            state_root,
            receipts: self.receipts,
            replies: self.replies,
            transitions,
            gas_burned: self.gas_burned,
            spent,
            work_left,
            starved,
        })
    }
}
