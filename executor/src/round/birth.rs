//! Programs that programs create: they are there when the wave ends in which their creator ran, and their Mirrors with the
//! batch of the round.
//!
//! What the creator gives a new program has left its balance already: it goes to the program, or back.

use super::{Round, Work, events::Incoming, route::Stashed};
use crate::{
    RoundError,
    gas::Outward,
    run::{Birth, Sent},
    state::{
        Answer, DispatchKind, MessageType,
        account::Account,
        root::{Held, NewProgram},
    },
};
use gear_exe_primitives::ActorId;
use primitive_types::H256;

impl Held {
    /// What it comes to on Ethereum, beside the frames of the programs that it changes.
    pub(super) fn outward(&self) -> Outward {
        match self {
            Self::Program(_) => Outward::creation(),
            _ => Outward::default(),
        }
    }
}

impl Round<'_> {
    /// A program with `endowment` is to come into being. If the chain knows no such code, the creator is told.
    pub(super) fn create(
        &mut self,
        actor: ActorId,
        sent: Sent,
        birth: Birth,
        endowment: u128,
    ) -> Result<(), RoundError> {
        if let Some(work) = self.work(actor)? {
            work.move_to_custody(sent.value)?;
        }
        let code_id = birth.creation.code_id;
        let known = self
            .ledger
            .codes
            .get(self.scope.content, &code_id)?
            .is_some();
        if !known || self.find(sent.destination)? {
            tracing::debug!(program = %sent.destination, creator = %actor, code = %code_id, "no program created: its code is not known");
            if let Some(work) = self.work(actor)? {
                let balance = &mut work.account.executable_balance;
                *balance = balance.saturating_add(endowment);
            }
            let message = (sent.id, sent.value, sent.gas);
            return self.not_created(actor, sent.destination, message);
        }
        let new = NewProgram {
            id: sent.id,
            destination: sent.destination,
            creation: birth.creation,
            endowment,
            payload: sent.payload,
            value: sent.value,
            delay: sent.delay,
            gas: sent.gas,
        };
        self.pass_on(actor, Held::Program(Box::new(new)))
    }

    /// The program is there, with its first message queued or delayed.
    pub(super) fn bring_up(&mut self, actor: ActorId, new: NewProgram) -> Result<(), RoundError> {
        let (program, creation) = (new.destination, new.creation);
        let mut account = Account::new(creation.code_id);
        account.executable_balance = new.endowment;
        account.init_sent = true;
        let mut work = Work::new(account, program, H256::zero());
        work.change.creation = Some(creation);
        self.absent.remove(&program);
        self.budget.touch(program);
        self.budget.send(Outward::creation());
        self.programs.insert(program, work);
        self.born = true;
        tracing::info!(program = %program, code = %creation.code_id, creator = %actor, balance = new.endowment, "program created by a program");
        self.transfer(actor, program, new.value)?;
        if new.delay > 0 {
            let stashed = Stashed {
                id: new.id,
                kind: DispatchKind::Init,
                source: actor,
                user: None,
                payload: new.payload,
                value: new.value,
                delay: new.delay,
                gas: new.gas,
            };
            return self.stash(program, stashed);
        }
        let incoming = Incoming {
            id: new.id,
            source: actor,
            payload: new.payload,
            value: new.value,
            answer: Answer::default(),
            message_type: MessageType::Canonical,
            gas: new.gas,
        };
        self.enqueue(program, DispatchKind::Init, incoming)
    }
}
