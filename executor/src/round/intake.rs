//! What comes in from outside, as far as the round's budget allows; the rest waits in the inbox, in order.
//!
//! A sender on Ethereum pays for every event, and still one Ethereum block can bring in more than a batch can settle. So
//! whoever comes late waits some rounds, and every batch can be mined.

use super::{
    Round, Work,
    budget::Most,
    events::{Incoming, awaits_init},
    parallel::in_parallel,
};
use crate::{
    RoundError,
    gas::Outward,
    state::{DispatchKind, root::Intake},
};
use gear_exe_primitives::{
    ActorId, H160, MessageId,
    ethereum::{EthereumEvent, MirrorEvent, RouterEvent},
    round::{NativeMessage, RoundInput},
};
use std::collections::HashMap;

/// What comes in most: a message for a program's queue, which changes nothing else.
enum Message<'a> {
    Native(&'a NativeMessage),
    Event {
        program: ActorId,
        id: MessageId,
        source: H160,
        payload: &'a [u8],
        value: u128,
        call_reply: bool,
    },
}

impl<'a> Message<'a> {
    fn of(event: &'a EthereumEvent) -> Option<Self> {
        match event {
            EthereumEvent::Mirror {
                actor_id,
                event:
                    MirrorEvent::MessageQueueingRequested {
                        id,
                        source,
                        payload,
                        value,
                        call_reply,
                    },
            } => Some(Self::Event {
                program: *actor_id,
                id: *id,
                source: *source,
                payload,
                value: *value,
                call_reply: *call_reply,
            }),
            _ => None,
        }
    }

    fn program(&self) -> ActorId {
        match self {
            Self::Native(native) => native.destination,
            Self::Event { program, .. } => *program,
        }
    }

    fn incoming(self) -> Incoming {
        match self {
            Self::Native(native) => Incoming::native(native.clone()),
            Self::Event {
                id,
                source,
                payload,
                value,
                call_reply,
                ..
            } => Incoming::event(id, source, payload.to_vec(), value, call_reply),
        }
    }
}

/// Messages that are taken in and not in their queues yet.
#[derive(Default)]
struct Batch<'a> {
    /// By program: those that have been sent a message since the batch began.
    queues: HashMap<ActorId, Vec<Message<'a>>>,
    count: usize,
    /// The round takes in more of them.
    open: bool,
}

impl Round<'_> {
    /// Takes in what waits, then the round's own events, the tasks due in between, and the native messages.
    pub(super) fn intake(&mut self, input: &RoundInput) -> Result<(), RoundError> {
        let mut waiting = std::mem::take(&mut self.ledger.inbox);
        while let Some(next) = waiting.pop_front(self.scope.content)? {
            if let Some(refused) = self.take_in(next)? {
                waiting.push_front(refused);
                break;
            }
        }
        self.ledger.inbox = waiting;
        let mut batch = Batch::default();
        for block in &input.ethereum {
            self.keep_seed(&block.header);
            for event in &block.events {
                self.take_in_many(&mut batch, Message::of(event), || {
                    Intake::Event(event.clone())
                })?;
            }
            self.queue_all(&mut batch);
            self.due_tasks(u32::try_from(block.header.number).unwrap_or(u32::MAX))?;
        }
        for native in &input.native {
            let message = (native.value == 0).then_some(Message::Native(native));
            self.take_in_many(&mut batch, message, || Intake::Native(native.clone()))?;
        }
        self.queue_all(&mut batch);
        self.due_tasks(self.scope.height())?;
        if !self.ledger.inbox.is_empty() {
            tracing::debug!(
                waiting = self.ledger.inbox.len(),
                "events wait for a later round: this one is full"
            );
        }
        Ok(())
    }

    /// Whether something from outside, or a task, waits for a later round.
    pub(super) fn is_behind(&mut self) -> Result<bool, RoundError> {
        Ok(!self.ledger.inbox.is_empty() || self.due(self.scope.height())?.is_some())
    }

    /// Tasks wait behind events that came before them.
    fn due_tasks(&mut self, height: u32) -> Result<(), RoundError> {
        if self.ledger.inbox.is_empty() {
            self.tasks(height)?;
        }
        Ok(())
    }

    /// Takes an item in, or keeps it for a later round. If it is but a message for a program that has been sent one before,
    /// it waits in the batch.
    fn take_in_many<'a>(
        &mut self,
        batch: &mut Batch<'a>,
        message: Option<Message<'a>>,
        item: impl FnOnce() -> Intake,
    ) -> Result<(), RoundError> {
        let Some(message) = message else {
            self.queue_all(batch);
            return self.take_in_or_keep(item());
        };
        let program = message.program();
        if batch.open
            && let Some(queue) = batch.queues.get_mut(&program)
        {
            queue.push(message);
            batch.count += 1;
            return Ok(());
        }
        if batch.queues.contains_key(&program) {
            self.queue_all(batch);
        }
        self.take_in_or_keep(item())?;
        // As long as nothing else is taken in, the round has room for more messages to those that it has taken some for.
        batch.open = self.ledger.inbox.is_empty()
            && self.admits(Most::ThreeQuarters, Outward::default(), &[]);
        let work = self.programs.get(&program);
        if work.is_some_and(|work| work.touched && !awaits_init(&work.account)) {
            batch.queues.entry(program).or_default();
        }
        Ok(())
    }

    /// Puts the messages of a batch into their queues: many of them on all threads, each program's own in order.
    fn queue_all(&mut self, batch: &mut Batch<'_>) {
        /// Messages for which it is worth while to ask other threads.
        const MANY: usize = 1_024;
        let Batch {
            mut queues, count, ..
        } = std::mem::take(batch);
        if count == 0 {
            return;
        }
        let content = self.scope.content;
        let put = |(program, work, messages): (ActorId, &mut Work, Vec<Message<'_>>)| {
            work.account.queue.reserve(messages.len());
            for message in messages {
                let incoming = message.incoming();
                let dispatch = incoming.into_dispatch(content, program, DispatchKind::Handle);
                work.account.queue.push_back(dispatch);
            }
        };
        if count < MANY.max(self.programs.len() / 4) {
            for (program, messages) in queues {
                if let Some(work) = self.programs.get_mut(&program) {
                    put((program, work, messages));
                }
            }
            return;
        }
        let all = self.programs.iter_mut();
        let jobs = all
            .filter_map(|(program, work)| Some((*program, work, queues.remove(program)?)))
            .collect();
        in_parallel(jobs, |job| job.2.len() as u64, put);
    }

    fn take_in_or_keep(&mut self, item: Intake) -> Result<(), RoundError> {
        let refused = if self.ledger.inbox.is_empty() {
            self.take_in(item)?
        } else {
            Some(item)
        };
        if let Some(item) = refused {
            self.ledger.inbox.push_back(item);
        }
        Ok(())
    }

    /// Gives the item back if the round has no room for it.
    fn take_in(&mut self, item: Intake) -> Result<Option<Intake>, RoundError> {
        let room = match program(&item) {
            None => true,
            Some(program) if spends(&item) => self.takes_in(&[program, ActorId::DEPOSITS]),
            Some(program) => self.takes_in(&[program]),
        };
        if !room {
            return Ok(Some(item));
        }
        match item {
            Intake::Event(event) => self.event(event)?,
            Intake::Native(native) => self.native(native)?,
        }
        Ok(None)
    }
}

/// The program that an item changes.
fn program(item: &Intake) -> Option<ActorId> {
    match item {
        Intake::Event(EthereumEvent::Mirror { actor_id, .. })
        | Intake::Event(EthereumEvent::Router(RouterEvent::ProgramCreated { actor_id, .. })) => {
            Some(*actor_id)
        }
        Intake::Event(EthereumEvent::Router(_)) => None,
        Intake::Native(native) => Some(native.destination),
    }
}

/// Whether it moves value out of a deposit. What comes to deposits from Ethereum is there already, and what goes back to it
/// waits for room by itself.
fn spends(item: &Intake) -> bool {
    matches!(item, Intake::Native(native) if native.value > 0)
}
