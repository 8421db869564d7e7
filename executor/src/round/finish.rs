//! The outcome of a round: states stored, the new root, transitions and receipts. Here each program pays for its part of
//! the batch.

use super::Round;
use crate::{
    RoundError,
    gas::Outward,
    state::{ProgramRecord, ProgramState, root::Root},
};
use codec::Encode;
use gear_exe_primitives::{proof::Kind, round::RoundOutcome, transition::StateTransition};

/// What a transition comes to on Ethereum.
fn settlement(change: &StateTransition) -> Outward {
    let messages = change
        .messages
        .iter()
        .map(|message| Outward::message(message.payload.len(), message.call));
    let claims = Outward::claim().times(change.value_claims.len() as u64);
    messages.fold(Outward::frame().plus(claims), Outward::plus)
}

/// The highest price of gas at which a starved program could run.
fn could_pay(state: &ProgramState) -> u128 {
    let gas = state.required_gas.unwrap_or(1).max(1);
    state.executable_balance / u128::from(gas)
}

impl Round<'_> {
    pub(super) fn finish(mut self, work_left: bool) -> Result<RoundOutcome, RoundError> {
        let content = self.scope.content;
        self.commit_memory()?;
        self.ledger.turns.busy = self.next_turn()?;
        let mut transitions = Vec::new();
        for (actor, mut work) in self.programs {
            let waits = !work.account.queue.is_empty();
            let mut state = work.account.store(content)?;
            let mut change = work.change;
            let quiet = Kind::State.hash(&state.encode()) == work.before
                && change.inheritor.is_none()
                && change.value_to_receive == 0
                && change.net_transfer == 0
                && change.messages.is_empty()
                && change.value_claims.is_empty();
            if !quiet {
                // Who cannot pay for it all pays what there is: what is due to Ethereum must not wait for a top-up, and a
                // program without balance does nothing of its own.
                let price = settlement(&change).price(self.scope.parameters);
                state.executable_balance = state.executable_balance.saturating_sub(price);
                let record = ProgramRecord {
                    code_id: work.account.code_id,
                    state_hash: content.put(&state),
                };
                change.new_state_hash = record.state_hash;
                self.records.insert(content, actor, record)?;
                transitions.push(change);
            }
            if waits || work.waited {
                let starved = waits && work.starved;
                let above = starved.then(|| could_pay(&state));
                self.ledger.starve(content, actor, above)?;
                self.ledger.occupy(content, actor, waits && !starved)?;
            }
        }
        let starved = self.ledger.first_starved(content)?;
        let state_root = Root::store(content, &self.records, &mut self.ledger)?;
        Ok(RoundOutcome {
            state_root,
            receipts: self.receipts,
            replies: self.replies,
            transitions,
            gas_burned: self.gas_burned,
            work_left,
            starved,
        })
    }
}
