//! The outcome of a round: states stored, the new root, transitions and receipts.

use super::Round;
use crate::{RoundError, state::ProgramRecord};
use gear_exe_primitives::round::RoundOutcome;
use std::collections::BTreeMap;

impl Round<'_> {
    pub(super) fn finish(mut self, work_left: bool) -> Result<RoundOutcome, RoundError> {
        self.commit_memory()?;
        let (mut records, mut transitions) = (BTreeMap::new(), Vec::new());
        for (actor, work) in self.programs {
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
            let state_hash = work.account.store(self.scope.content);
            let mut change = work.change;
            let quiet = state_hash == work.before
                && change.inheritor.is_none()
                && change.value_to_receive == 0
                && change.net_transfer == 0
                && change.messages.is_empty()
                && change.value_claims.is_empty();
            if quiet {
                continue;
            }
            let record = ProgramRecord {
                code_id: work.account.code_id,
                state_hash,
            };
            records.insert(actor, record);
            change.new_state_hash = state_hash;
            transitions.push(change);
        }
        self.ledger.starved_price = self.scope.parameters.value_per_gas;
        let state_root = self
            .root
            .update(self.scope.content, &records, &self.ledger)?;
        Ok(RoundOutcome {
            state_root,
            receipts: self.receipts,
            transitions,
            gas_burned: self.gas_burned,
            work_left,
            starved: self.ledger.starved.into_iter().collect(),
        })
    }
}
