//! The outcome of a round: states stored, the new root, transitions and receipts. Here each program pays for its part of
//! the batch: from its executable balance, and if that is too little, from what it has set aside of it.

use super::{Round, Work};
use crate::{ProgramCost, RoundError, gas::Outward, state::ProgramRecord};
use codec::Encode;
use gear_exe_primitives::{
    ActorId, hashing::blake2b256, round::RoundOutcome, transition::StateTransition,
};
use std::collections::BTreeMap;

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
        self.commit_memory()?;
        let (mut records, mut transitions) = (BTreeMap::new(), Vec::new());
        for (actor, mut work) in self.programs {
            let waits = !work.account.queue.is_empty();
            if waits && work.starved {
                self.ledger.starved.insert(actor);
            } else {
                self.ledger.starved.remove(&actor);
            }
            if waits && !work.starved {
                self.ledger.busy.insert(actor);
            } else {
                self.ledger.busy.remove(&actor);
            }
            let mut state = work.account.store(self.scope.content);
            let mut change = work.change;
            if change.is_quiet() && blake2b256([state.encode()]) == work.before {
                continue;
            }
            // Who cannot pay for it all pays what there is: what is due to Ethereum must not wait for a top-up, and a
            // program without balance does nothing of its own.
            let price = settlement(&change).price(self.scope.parameters);
            match state.executable_balance.checked_sub(price) {
                Some(rest) => state.executable_balance = rest,
                None => {
                    work.account.pay_with_all(price);
                    state = work.account.store(self.scope.content);
                }
            }
            let record = ProgramRecord {
                code_id: work.account.code_id,
                state_hash: self.scope.content.put(&state),
            };
            change.new_state_hash = record.state_hash;
            records.insert(actor, record);
            transitions.push(change);
        }
        self.ledger.starved_price = self.scope.parameters.value_per_gas;
        let state_root = self
            .root
            .update(self.scope.content, &records, &self.ledger)?;
        Ok(RoundOutcome {
            state_root,
            receipts: self.receipts,
            replies: self.replies,
            transitions,
            gas_burned: self.gas_burned,
            work_left,
            starved: self.ledger.starved.into_iter().collect(),
        })
    }
}
