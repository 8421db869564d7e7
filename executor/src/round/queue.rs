//! A program's queue: one message after the other, on one thread, with no look at other programs.
//!
//! A message may burn what its program can pay for, at most the limit of a message. If it runs out because the program
//! is poor, nothing of it is kept or charged and it stays first in the queue: the program is starved, and the message is
//! tried again once there is noticeably more. Whatever else a run burns is charged, also if it fails. What an exited,
//! terminated or uninitialised program is sent is refused at no charge.

use super::{Directory, Scope, Work};
use crate::{
    RoundError,
    code::Code,
    gas,
    run::{Ended, RunInput, RunOutput, Sent},
    state::{
        Answer, ContextStore, Dispatch, DispatchKind, Expiring, MessageDetails, MessageType,
        PayloadLookup,
        account::{Life, get_payload},
        root::Task,
    },
    vm::{Entry, Waking},
};
use gear_exe_primitives::{
    ActorId, MessageId,
    hashing::keccak256,
    message::{Receipt, ReplyCode},
};
use primitive_types::H256;
use std::{
    collections::BTreeSet,
    sync::{Arc, atomic::Ordering::Relaxed},
};

/// What a program does that concerns others, in order.
pub(super) enum Effect {
    /// The value is the program's own.
    Send(Sent),
    /// The value is in the program's custody.
    Reply {
        to: MessageId,
        source: ActorId,
        code: ReplyCode,
        payload: Vec<u8>,
        value: u128,
        answer: Answer,
        native: bool,
    },
    /// The value is in the program's custody and becomes its own.
    Keep {
        value: u128,
    },
    /// The value is the program's own.
    Inherit {
        heir: ActorId,
        value: u128,
    },
    Schedule(u32, Task),
    Unschedule(u32, Task),
}

/// What a wave did to one program.
pub(super) struct QueueResult {
    pub(super) work: Work,
    pub(super) effects: Vec<Effect>,
    pub(super) receipts: Vec<Receipt>,
    /// Gas burned, charged or not.
    pub(super) spent: u64,
}

/// Runs a program's queue until it is empty, its share is spent, or it cannot pay.
pub(super) fn run_queue(
    scope: Scope<'_>,
    directory: &Arc<Directory>,
    actor: ActorId,
    code: &Arc<Code>,
    work: Work,
    share: u64,
) -> Result<QueueResult, RoundError> {
    // Each message has a receipt, and most have one effect.
    let likely = work.account.queue.len().min(1_024);
    let mut queue = Queue {
        scope,
        directory,
        actor,
        code,
        result: QueueResult {
            work,
            effects: Vec::with_capacity(likely),
            receipts: Vec::with_capacity(likely),
            spent: 0,
        },
        hashed: (Vec::new(), keccak256([[]])),
        ran: 0,
        burned: 0,
    };
    while queue.result.spent < share || queue.result.spent == 0 {
        let Some(dispatch) = queue.result.work.account.queue.pop_front() else {
            break;
        };
        if let Some(held) = queue.message(dispatch)? {
            scope.stats.messages_held.fetch_add(1, Relaxed);
            queue.result.work.account.queue.push_front(held);
            queue.result.work.starved = true;
            break;
        }
    }
    if scope.query.is_none() {
        scope.stats.messages.fetch_add(queue.ran, Relaxed);
        scope.stats.gas_burned.fetch_add(queue.burned, Relaxed);
    }
    let work = &mut queue.result.work;
    if let Life::Active {
        allocations, pages, ..
    } = &mut work.account.life
    {
        work.slot
            .rest(scope.residents, scope.content, allocations, pages)?;
    }
    Ok(queue.result)
}

struct Queue<'a> {
    scope: Scope<'a>,
    directory: &'a Arc<Directory>,
    actor: ActorId,
    code: &'a Arc<Code>,
    result: QueueResult,
    /// The last payload that was hashed for a receipt: many programs say the same again and again.
    hashed: (Vec<u8>, H256),
    /// Runs, and gas that they burned: added to the counters at once, since threads slow each other down there.
    ran: u64,
    burned: u64,
}

impl Queue<'_> {
    /// Runs or refuses a message. Gives it back if the program cannot pay for it.
    fn message(&mut self, mut dispatch: Dispatch) -> Result<Option<Dispatch>, RoundError> {
        if let Some((code, payload)) = refusal(&self.result.work.account.life, dispatch.kind) {
            self.result.spent = self.result.spent.saturating_add(gas::DISPATCH);
            let gas_burned = dispatch
                .context
                .as_ref()
                .map_or(0, |context| context.gas_burned);
            self.failed(dispatch, code, payload, gas_burned)?;
            return Ok(None);
        }
        let whole = self.scope.parameters.message_gas_limit.max(gas::DISPATCH);
        let limit = whole.min(self.affordable());
        let least = self
            .result
            .work
            .account
            .required_gas
            .unwrap_or(gas::DISPATCH);
        if limit < least.min(whole) {
            self.result.work.account.required_gas = Some(least);
            return Ok(Some(dispatch));
        }
        let old = dispatch.context.take();
        let output = self.run(&mut dispatch, old.clone(), limit)?;
        self.result.spent = self.result.spent.saturating_add(output.gas_burned);
        self.ran += 1;
        self.burned = self.burned.saturating_add(output.gas_burned);
        let poor = limit < whole
            && matches!(&output.ended, Ended::Failed(code, _) if *code == ReplyCode::RAN_OUT_OF_GAS);
        if poor {
            dispatch.context = old;
            self.hold(dispatch.id, limit, whole);
            return Ok(Some(dispatch));
        }
        self.result.work.account.required_gas = None;
        self.charge(output.gas_burned);
        self.apply(dispatch, old, output)?;
        Ok(None)
    }

    fn price(&self, gas: u64) -> u128 {
        u128::from(gas).saturating_mul(self.scope.parameters.value_per_gas)
    }

    /// Gas for which the program can pay.
    fn affordable(&self) -> u64 {
        let balance = self.result.work.account.executable_balance;
        match balance.checked_div(self.scope.parameters.value_per_gas) {
            Some(gas) if self.scope.query.is_none() => u64::try_from(gas).unwrap_or(u64::MAX),
            _ => u64::MAX,
        }
    }

    fn charge(&mut self, gas: u64) {
        if self.scope.query.is_none() {
            let price = self.price(gas);
            let balance = &mut self.result.work.account.executable_balance;
            *balance = balance.saturating_sub(price);
        }
    }

    /// The message is tried again with an eighth more than now: each attempt costs the network, but not the program.
    fn hold(&mut self, message: MessageId, limit: u64, whole: u64) {
        let required = limit.saturating_add(limit / 8).saturating_add(1).min(whole);
        let account = &mut self.result.work.account;
        account.required_gas = Some(required);
        tracing::warn!(message = %message, program = %self.actor, balance = account.executable_balance,
            required_gas = required, "message waits: the program is out of executable balance");
    }

    fn run(
        &mut self,
        dispatch: &mut Dispatch,
        context: Option<ContextStore>,
        limit: u64,
    ) -> Result<RunOutput, RoundError> {
        let work = &mut self.result.work;
        let entry = match dispatch.kind {
            DispatchKind::Init => Entry::Init,
            DispatchKind::Handle => Entry::Handle,
            DispatchKind::Reply => Entry::Reply,
            DispatchKind::Signal => Entry::Signal,
        };
        let Life::Active {
            allocations, pages, ..
        } = &mut work.account.life
        else {
            return Err(RoundError::Panicked);
        };
        let fresh = context.is_none();
        let arriving = if fresh { dispatch.value } else { 0 };
        let balance = work
            .account
            .balance
            .checked_add(arriving)
            .ok_or(RoundError::Overflow)?;
        tracing::debug!(message = %dispatch.id, program = %self.actor, entry = entry.name(), limit, "message runs");
        if !self.code.facts.entries.contains(entry.name()) {
            return Ok(RunOutput {
                ended: Ended::Done,
                gas_burned: gas::DISPATCH,
                payload: Vec::new(),
                sent: Vec::new(),
                reply: None,
                woken: BTreeSet::new(),
                balance,
                context: context.unwrap_or_default(),
            });
        }
        let reply = dispatch
            .details
            .map(|MessageDetails::Reply(details)| details);
        let payload = match &mut dispatch.payload {
            // Given back afterwards.
            PayloadLookup::Direct(bytes) => std::mem::take(bytes),
            stored => get_payload(self.scope.content, stored)?,
        };
        let input = RunInput {
            entry,
            id: dispatch.id,
            source: dispatch.source,
            payload,
            value: dispatch.value,
            reply,
            balance,
            height: self.scope.height(),
            timestamp: self.scope.anchor.timestamp,
            gas_limit: limit,
            context: context.unwrap_or_default(),
        };
        let waking = Waking {
            residents: self.scope.residents,
            content: self.scope.content,
            directory: self.directory,
            parameters: self.scope.parameters,
            actor: self.actor,
            code: self.code,
            code_id: work.account.code_id,
        };
        let mut output = work.slot.wake(&waking, allocations, pages)?.run(input)?;
        if let PayloadLookup::Direct(bytes) = &mut dispatch.payload {
            *bytes = std::mem::take(&mut output.payload);
        }
        Ok(output)
    }

    /// Takes over what a run did.
    fn apply(
        &mut self,
        mut dispatch: Dispatch,
        old: Option<ContextStore>,
        output: RunOutput,
    ) -> Result<(), RoundError> {
        let before = old.as_ref().map_or(0, |context| context.gas_burned);
        let gas_burned = before.saturating_add(output.gas_burned);
        let ended = match output.ended {
            Ended::Failed(code, payload) => {
                dispatch.context = old;
                return self.failed(dispatch, code, payload, gas_burned);
            }
            ended => ended,
        };
        let work = &mut self.result.work;
        if old.is_none() {
            work.move_to_mirror(dispatch.value)?;
        }
        work.account.balance = output.balance;
        if let Life::Active { initialized, .. } = &mut work.account.life
            && dispatch.kind == DispatchKind::Init
            && matches!(ended, Ended::Done)
        {
            *initialized = true;
        }
        self.result
            .effects
            .extend(output.sent.into_iter().map(Effect::Send));
        self.wake(output.woken);
        if let Ended::Wait(blocks) = ended {
            let mut context = output.context;
            context.gas_burned = gas_burned;
            self.wait(dispatch, context, blocks);
            return Ok(());
        }
        self.reply(&dispatch, output.reply, gas_burned)?;
        if let Ended::Exit(heir) = ended {
            self.exit(heir);
        }
        Ok(())
    }

    fn wake(&mut self, woken: BTreeSet<MessageId>) {
        for id in woken {
            if let Some(waiting) = self.result.work.account.waitlist.remove(&id) {
                tracing::debug!(message = %id, program = %self.actor, "message woken");
                let task = Task::Wake(self.actor, id);
                self.result
                    .effects
                    .push(Effect::Unschedule(waiting.expiry, task));
                self.result.work.account.queue.push_back(waiting.value);
            }
        }
    }

    fn wait(&mut self, mut dispatch: Dispatch, context: ContextStore, blocks: u32) {
        let id = dispatch.id;
        let expiry = self.scope.height().saturating_add(blocks);
        tracing::debug!(message = %id, program = %self.actor, until = expiry, gas = context.gas_burned, "message waits");
        dispatch.context = Some(context);
        let waiting = Expiring {
            value: dispatch,
            expiry,
        };
        self.result.work.account.waitlist.insert(id, waiting);
        self.result
            .effects
            .push(Effect::Schedule(expiry, Task::Wake(self.actor, id)));
    }

    /// The reply of a message that succeeded: the program's own, or the automatic one. Nothing replies to a reply.
    fn reply(
        &mut self,
        dispatch: &Dispatch,
        reply: Option<(Vec<u8>, u128)>,
        gas_burned: u64,
    ) -> Result<(), RoundError> {
        let code = if reply.is_some() {
            ReplyCode::SUCCESS_MANUAL
        } else {
            ReplyCode::SUCCESS_AUTO
        };
        let (payload, value) = reply.unwrap_or_default();
        self.receipt(dispatch.id, code, &payload, value, gas_burned);
        if dispatch.kind != DispatchKind::Reply {
            self.result.work.move_to_custody(value)?;
            self.result.effects.push(Effect::Reply {
                to: dispatch.id,
                source: dispatch.source,
                code,
                payload,
                value,
                answer: dispatch.answer,
                native: dispatch.message_type == MessageType::Injected,
            });
        }
        Ok(())
    }

    fn exit(&mut self, heir: ActorId) {
        tracing::info!(program = %self.actor, inheritor = %heir, "program exited");
        let work = &mut self.result.work;
        work.account.life = Life::Exited(heir);
        work.change.inheritor = Some(heir);
        let value = std::mem::take(&mut work.account.balance);
        self.result.effects.push(Effect::Inherit { heir, value });
        // Nothing wakes what waits any more; it is refused from the queue.
        for (id, waiting) in std::mem::take(&mut work.account.waitlist) {
            let task = Task::Wake(self.actor, id);
            self.result
                .effects
                .push(Effect::Unschedule(waiting.expiry, task));
            work.account.queue.push_back(waiting.value);
        }
    }

    /// A message that failed or was refused: its value goes back with the error.
    fn failed(
        &mut self,
        dispatch: Dispatch,
        code: ReplyCode,
        payload: Vec<u8>,
        gas_burned: u64,
    ) -> Result<(), RoundError> {
        let work = &mut self.result.work;
        if dispatch.kind == DispatchKind::Init && matches!(work.account.life, Life::Active { .. }) {
            tracing::info!(program = %self.actor, ?code, "program terminated: its init failed");
            work.account.life = Life::Terminated(dispatch.source);
        }
        // What an earlier run of the message took in stays with the program.
        let value = match &dispatch.context {
            None => dispatch.value,
            Some(_) => 0,
        };
        if dispatch.kind == DispatchKind::Reply {
            // Nothing answers a reply: what came with it stays as well.
            self.receipt(dispatch.id, code, &payload, 0, gas_burned);
            self.result.effects.push(Effect::Keep { value });
            return Ok(());
        }
        self.receipt(dispatch.id, code, &payload, value, gas_burned);
        self.result.effects.push(Effect::Reply {
            to: dispatch.id,
            source: dispatch.source,
            code,
            payload,
            value,
            answer: dispatch.answer,
            native: dispatch.message_type == MessageType::Injected,
        });
        Ok(())
    }

    fn receipt(
        &mut self,
        message_id: MessageId,
        code: ReplyCode,
        payload: &[u8],
        value: u128,
        gas_burned: u64,
    ) {
        tracing::debug!(message = %message_id, program = %self.actor, code = ?code.0, gas = gas_burned, value, "message ended");
        if self.hashed.0 != payload {
            self.hashed = (payload.to_vec(), keccak256([payload]));
        }
        self.result.receipts.push(Receipt {
            message_id,
            program_id: self.actor,
            code,
            payload_hash: self.hashed.1,
            value,
            gas_burned,
            round: self.scope.block.number,
        });
    }
}

/// Why a message is not run, whatever it says.
fn refusal(life: &Life, kind: DispatchKind) -> Option<(ReplyCode, Vec<u8>)> {
    match (life, kind) {
        (Life::Exited(heir), _) => Some((ReplyCode::PROGRAM_EXITED, heir.as_ref().to_vec())),
        (Life::Terminated(_), _) => Some((ReplyCode::INITIALIZATION_FAILURE, Vec::new())),
        (
            Life::Active {
                initialized: false, ..
            },
            DispatchKind::Handle,
        ) => Some((ReplyCode::UNINITIALIZED, Vec::new())),
        _ => None,
    }
}
