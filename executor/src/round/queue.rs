//! A program's queue: one message after the other, on one thread, with no look at other programs.
//!
//! A message may burn what its program can pay for, at most the limit of a message. If it runs out because the program
//! is poor, nothing of it is kept or charged and it stays first in the queue: the program is starved, and the message is
//! tried again once there is noticeably more. Whatever else a run burns is charged, also if it fails. What an exited,
//! terminated or uninitialised program is sent is refused at no charge.
//!
//! Where the sender has set what a message may burn, that is the most for all its runs together; running out of it is a
//! failure and no poverty.

use super::{
    Directory, Scope, Work,
    answers::{Answers, Reply, Users},
};
use crate::{
    RoundError,
    code::Code,
    gas,
    run::{Ended, Replied, RunInput, RunOutput, Sent},
    state::{
        ContextStore, Dispatch, DispatchKind, Expiring, MessageDetails, MessageType, PayloadLookup,
        Wait,
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
use primitive_types::{H160, H256};
use std::{
    collections::BTreeMap,
    sync::{Arc, atomic::Ordering::Relaxed},
};

/// What a program does that concerns others, in order.
pub(super) enum Effect {
    /// The value is the program's own, and so was the executable balance of a program that comes into being.
    Send(Sent, u128),
    /// The value is in the program's custody.
    Reply(Reply),
    /// The value is in the program's custody and becomes its own.
    Keep {
        value: u128,
    },
    /// The value is in the program's custody and goes back to the deposit that it came from.
    Refund {
        account: H160,
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
    pub(super) answers: Answers,
    /// What comes after the answers.
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
    (share, users): (u64, Users),
) -> Result<QueueResult, RoundError> {
    // Each message has a receipt.
    let likely = work.account.queue.len().min(1_024) as usize;
    let mut queue = Queue {
        scope,
        directory,
        actor,
        code,
        result: QueueResult {
            work,
            answers: Answers::default(),
            effects: Vec::new(),
            receipts: Vec::with_capacity(likely),
            spent: 0,
        },
        hashed: (Vec::new(), keccak256([[]])),
        users,
        sends: false,
        ran: 0,
        burned: 0,
    };
    while queue.result.spent < share || queue.result.spent == 0 {
        let Some(dispatch) = queue.result.work.account.queue.pop_front(scope.content)? else {
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

pub(super) struct Queue<'a> {
    pub(super) scope: Scope<'a>,
    pub(super) directory: &'a Arc<Directory>,
    pub(super) actor: ActorId,
    pub(super) code: &'a Arc<Code>,
    pub(super) result: QueueResult,
    /// The last payload that was hashed for a receipt: many programs say the same again and again.
    hashed: (Vec<u8>, H256),
    pub(super) users: Users,
    /// The program has sent something that may go to Ethereum, and that is not among the answers.
    pub(super) sends: bool,
    /// Runs, and gas that they burned: added to the counters at once, since threads slow each other down there.
    ran: u64,
    burned: u64,
}

impl Queue<'_> {
    /// Runs or refuses a message. Gives it back if the program cannot pay for it.
    fn message(&mut self, mut dispatch: Dispatch) -> Result<Option<Dispatch>, RoundError> {
        if let Some((code, payload)) = refusal(&self.result.work.account.life, &dispatch) {
            self.result.spent = self.result.spent.saturating_add(gas::DISPATCH);
            let gas_burned = dispatch.gas_burned();
            self.failed(dispatch, code, payload, gas_burned, 0)?;
            return Ok(None);
        }
        let whole = self.scope.parameters.message_gas_limit.max(gas::DISPATCH);
        let whole = whole.min(dispatch.gas_left());
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
        let context = old.as_deref().cloned();
        let mut output = self.run(&mut dispatch, context, limit, whole - limit)?;
        self.result.work.account.reservations = std::mem::take(&mut output.reservations);
        // One that may burn nothing is work as well.
        let spent = output.gas_burned.max(gas::DISPATCH);
        self.result.spent = self.result.spent.saturating_add(spent);
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
        if matches!(output.ended, Ended::Draw) {
            self.await_seed(dispatch, old, output.gas_burned)?;
            return Ok(None);
        }
        self.apply(dispatch, old, output)?;
        Ok(None)
    }

    pub(super) fn price(&self, gas: u64) -> u128 {
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
        self.result.work.gas = self.result.work.gas.saturating_add(gas);
        if self.scope.query.is_none() {
            let price = self.price(gas);
            self.result.work.pay(price);
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
        lacking: u64,
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
        let reservations = std::mem::take(&mut work.account.reservations);
        if limit < gas::DISPATCH {
            let ended = Ended::Failed(ReplyCode::RAN_OUT_OF_GAS, Vec::new());
            return Ok(RunOutput::nothing(ended, limit, Vec::new(), reservations));
        }
        if !self.code.facts.entries.contains(entry.name()) {
            return Ok(RunOutput {
                balance,
                context: context.unwrap_or_default(),
                ..RunOutput::nothing(Ended::Done, gas::DISPATCH, Vec::new(), reservations)
            });
        }
        let (reply, signal) = match dispatch.details {
            None => (None, None),
            Some(MessageDetails::Reply(details)) => (Some(details), None),
            Some(MessageDetails::Signal { from, code }) => (None, Some((from, code))),
        };
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
            signal,
            seed: dispatch.draw.and_then(|draw| draw.seed),
            reservations,
            balance,
            height: self.scope.height(),
            timestamp: self.scope.anchor.timestamp,
            gas_limit: limit,
            lacking,
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
        old: Option<Box<ContextStore>>,
        output: RunOutput,
    ) -> Result<(), RoundError> {
        let kept = old.as_ref().map_or(0, |context| context.gas_burned);
        let undone = dispatch.draw.map_or(0, |draw| draw.gas_burned);
        let gas_burned = kept
            .saturating_add(undone)
            .saturating_add(output.gas_burned);
        let ended = match output.ended {
            Ended::Failed(code, payload) => {
                dispatch.context = old;
                let aside = output.set_aside.signal_gas;
                return self.failed(dispatch, code, payload, gas_burned, aside);
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
        for sent in output.sent {
            let gas = sent.birth.as_ref().map_or(0, |birth| birth.gas);
            self.result.work.given = self.result.work.given.saturating_add(gas);
            let endowment = self.set_aside(gas);
            self.sends = true;
            self.result.effects.push(Effect::Send(sent, endowment));
        }
        self.apply_reservations(&output.set_aside);
        let own_wake = output.woken.get(&dispatch.id).copied();
        self.wake(output.woken)?;
        if let Ended::Wait(mut blocks, mut wait) = ended {
            if let Some(delay @ 1..) = own_wake
                && delay <= blocks
            {
                (blocks, wait) = (delay, Wait::Timed);
            }
            let mut context = output.context;
            context.gas_burned = gas_burned;
            context.wait = wait;
            if let Some(draw) = &mut dispatch.draw {
                draw.gas_burned = 0;
            }
            self.keep_for_signal(&mut context, &output.set_aside);
            dispatch.context = Some(Box::new(context));
            return self.wait(dispatch, blocks);
        }
        self.take_back_for_signal(old.as_deref());
        self.reply(&dispatch, output.reply, gas_burned)?;
        if let Ended::Exit(heir) = ended {
            self.exit(heir)?;
        }
        Ok(())
    }

    fn wake(&mut self, woken: BTreeMap<MessageId, u32>) -> Result<(), RoundError> {
        let content = self.scope.content;
        for (id, delay) in woken {
            let waitlist = &mut self.result.work.account.waitlist;
            let task = Task::Wake(self.actor, id);
            let Some(mut waiting) = waitlist.get(content, &id)? else {
                continue;
            };
            // It runs again anyway, from a point before whatever it is woken for.
            if waiting.value.awaits_seed() {
                continue;
            }
            if delay > 0 {
                let due = self.scope.height().saturating_add(delay);
                if due > waiting.expiry {
                    continue;
                }
                tracing::debug!(message = %id, program = %self.actor, until = due, "message is woken later");
                if let Some(context) = &mut waiting.value.context {
                    context.wait = Wait::Timed;
                }
                let before = std::mem::replace(&mut waiting.expiry, due);
                waitlist.insert(content, &id, &waiting)?;
                let effects = &mut self.result.effects;
                effects.push(Effect::Unschedule(before, task));
                effects.push(Effect::Schedule(due, task));
                continue;
            }
            if let Some(waiting) = waitlist.remove(content, &id)? {
                tracing::debug!(message = %id, program = %self.actor, "message woken");
                self.result
                    .effects
                    .push(Effect::Unschedule(waiting.expiry, task));
                self.result.work.account.queue.push_back(waiting.value);
            }
        }
        Ok(())
    }

    pub(super) fn wait(&mut self, dispatch: Dispatch, blocks: u32) -> Result<(), RoundError> {
        let id = dispatch.id;
        let expiry = self.scope.height().saturating_add(blocks);
        tracing::debug!(message = %id, program = %self.actor, until = expiry, gas = dispatch.gas_burned(), "message waits");
        let waiting = Expiring {
            value: dispatch,
            expiry,
        };
        let waitlist = &mut self.result.work.account.waitlist;
        waitlist.insert(self.scope.content, &id, &waiting)?;
        self.result
            .effects
            .push(Effect::Schedule(expiry, Task::Wake(self.actor, id)));
        Ok(())
    }

    /// The reply of a message that succeeded: the program's own, or the automatic one. Nothing replies to a reply or a
    /// signal.
    fn reply(
        &mut self,
        dispatch: &Dispatch,
        reply: Option<Replied>,
        gas_burned: u64,
    ) -> Result<(), RoundError> {
        if dispatch.kind == DispatchKind::Signal {
            tracing::debug!(signal = %dispatch.id, program = %self.actor, gas = gas_burned, "signal handled");
            return Ok(());
        }
        let code = if reply.is_some() {
            ReplyCode::SUCCESS_MANUAL
        } else {
            ReplyCode::SUCCESS_AUTO
        };
        let Replied {
            id,
            payload,
            value,
            gas_limit,
        } = reply.unwrap_or_default();
        self.receipt(dispatch.id, code, &payload, value, gas_burned);
        if dispatch.kind != DispatchKind::Reply {
            self.result.work.move_to_custody(value)?;
            self.answer(Reply {
                to: dispatch.id,
                id,
                source: dispatch.source,
                code,
                payload,
                value,
                gas_limit: dispatch.gas.reply.or(gas_limit),
                answer: dispatch.answer,
                native: dispatch.message_type == MessageType::Injected,
            })?;
        }
        Ok(())
    }

    fn exit(&mut self, heir: ActorId) -> Result<(), RoundError> {
        tracing::info!(program = %self.actor, inheritor = %heir, "program exited");
        let work = &mut self.result.work;
        work.account.life = Life::Exited(heir);
        work.change.inheritor = Some(heir);
        let value = std::mem::take(&mut work.account.balance);
        self.result.effects.push(Effect::Inherit { heir, value });
        self.release_all();
        let work = &mut self.result.work;
        // Nothing wakes what waits any more; it is refused from the queue.
        for (id, waiting) in work.account.waitlist.take(self.scope.content)? {
            let task = Task::Wake(self.actor, id);
            self.result
                .effects
                .push(Effect::Unschedule(waiting.expiry, task));
            work.account.queue.push_back(waiting.value);
        }
        Ok(())
    }

    /// A message that failed or was refused: its value goes back with the error. Its last run had set aside gas for a
    /// signal: `aside`.
    fn failed(
        &mut self,
        dispatch: Dispatch,
        code: ReplyCode,
        payload: Vec<u8>,
        gas_burned: u64,
        aside: u64,
    ) -> Result<(), RoundError> {
        self.take_back_for_signal(dispatch.context.as_deref());
        if dispatch.kind == DispatchKind::Signal {
            tracing::debug!(signal = %dispatch.id, program = %self.actor, ?code, gas = gas_burned, "signal failed");
            return Ok(());
        }
        let work = &mut self.result.work;
        if dispatch.kind == DispatchKind::Init && matches!(work.account.life, Life::Active { .. }) {
            tracing::info!(program = %self.actor, ?code, "program terminated: its init failed");
            work.account.life = Life::Terminated(dispatch.source);
            self.release_all();
        }
        let kept = dispatch.context.as_ref();
        let aside = aside.saturating_add(kept.map_or(0, |context| context.signal_gas));
        self.signal(&dispatch, code, aside);
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
        let native = dispatch.message_type == MessageType::Injected;
        let deposited = native && value > 0;
        if deposited {
            self.result.effects.push(Effect::Refund {
                account: dispatch.source.to_address_lossy(),
                value,
            });
        }
        self.answer(Reply {
            to: dispatch.id,
            id: None,
            source: dispatch.source,
            code,
            payload,
            // What comes out of a deposit goes back into it, and not through the Mirror.
            value: if deposited { 0 } else { value },
            gas_limit: dispatch.gas.reply,
            answer: dispatch.answer,
            native,
        })
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
fn refusal(life: &Life, dispatch: &Dispatch) -> Option<(ReplyCode, Vec<u8>)> {
    let context = dispatch.context.as_ref();
    let removed = context.is_some_and(|context| context.wait == Wait::Removed);
    match (life, dispatch.kind) {
        (Life::Exited(heir), _) => Some((ReplyCode::PROGRAM_EXITED, heir.as_ref().to_vec())),
        (Life::Terminated(_), _) => Some((ReplyCode::INITIALIZATION_FAILURE, Vec::new())),
        (
            Life::Active {
                initialized: false, ..
            },
            DispatchKind::Handle,
        ) => Some((ReplyCode::UNINITIALIZED, Vec::new())),
        _ if removed => Some((ReplyCode::REMOVED_FROM_WAITLIST, Vec::new())),
        _ => None,
    }
}
