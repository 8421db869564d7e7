//! Queries: what a program would answer, on any stored state, without a trace.

use crate::{
    Executor, QueryError, RoundError, StoreError,
    round::{Round, Scope, events::Incoming},
    state::{
        Answer, Dispatch, DispatchKind, FullProgramState, GasTerms, MessageType, ProgramRecord,
        Tracked, line::Line, map::Map, root::Root, store::Content,
    },
};
use gear_exe_primitives::{
    ActorId, CodeId, H160, H256, MessageId,
    ethereum::EthereumHeader,
    hashing::blake2b256,
    message::{OutgoingMessage, ReplyCode},
    round::{ChainBlock, ExecutionParameters},
};
use std::{
    panic::{AssertUnwindSafe, catch_unwind},
    sync::{Arc, atomic::Ordering::Relaxed},
};

/// Message gas limits that everything which a query causes may burn together.
const GAS_FACTOR: u64 = 10;

/// Where a query stands.
#[derive(Clone, Copy, Debug)]
pub struct QueryContext {
    /// The Ethereum block whose height and time programs see.
    pub anchor: EthereumHeader,
    /// Prices and limits.
    pub parameters: ExecutionParameters,
}

/// A message that is not sent.
#[derive(Clone, Debug)]
pub struct Query {
    /// Who would send it.
    pub source: H160,
    /// To which program.
    pub program: ActorId,
    /// What it says.
    pub payload: Vec<u8>,
    /// In wei.
    pub value: u128,
    /// wVARA that would be given to the program first, in base units. A query is answered without it, too: nobody pays
    /// for one.
    pub top_up: Option<u128>,
}

/// What the program would reply, and cause.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct QueryReply {
    /// The reply's payload.
    pub payload: Vec<u8>,
    /// ETH that would come with it, in wei.
    pub value: u128,
    /// How the message would end.
    pub code: ReplyCode,
    /// Other messages that would go to Ethereum before it, ordered by program, then as they are sent.
    pub messages: Vec<OutgoingMessage>,
    /// Gas that all of it burned.
    pub gas_burned: u64,
    /// What it would cost each program that runs or changes, ordered by id: the one that was asked, and those that it
    /// calls before it replies.
    pub costs: Vec<ProgramCost>,
}

/// What a message costs one program.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ProgramCost {
    /// The program.
    pub program: ActorId,
    /// Gas that it burns.
    pub gas: u64,
    /// The price of that gas, in wVARA base units.
    pub gas_price: u128,
    /// What its part of a batch costs, in wVARA base units. Less if its state changes in the same round for other
    /// messages, too.
    pub settlement_price: u128,
    /// What it gives to programs that it creates, in wVARA base units.
    pub given: u128,
}

impl ProgramCost {
    /// What its executable balance loses, in wVARA base units.
    pub fn total(&self) -> u128 {
        self.gas_price
            .saturating_add(self.settlement_price)
            .saturating_add(self.given)
    }
}

impl Executor {
    /// Runs a message, and what it causes until its reply appears, on the state behind `base`. What waits in the queues
    /// of the programs concerned is passed over. Ten times a message's gas may be burned in all.
    ///
    /// # Errors
    ///
    /// [`QueryError`]: there is no such program, it is not initialised, or there is no reply. A program that refuses or
    /// fails is no error: its reply code says so.
    pub fn calculate_reply(
        &self,
        base: H256,
        context: &QueryContext,
        query: &Query,
    ) -> Result<QueryReply, QueryError> {
        self.ask(base, context, query, false)
    }

    /// The same, and also runs what the message causes after its reply, so that [`QueryReply::costs`] has everything that
    /// the message costs in its round: a real one that is alone in its round costs as much.
    ///
    /// # Errors
    ///
    /// As [`Self::calculate_reply`].
    pub fn estimate_cost(
        &self,
        base: H256,
        context: &QueryContext,
        query: &Query,
    ) -> Result<QueryReply, QueryError> {
        self.ask(base, context, query, true)
    }

    fn ask(
        &self,
        base: H256,
        context: &QueryContext,
        query: &Query,
        to_the_end: bool,
    ) -> Result<QueryReply, QueryError> {
        self.inner.stats.queries.fetch_add(1, Relaxed);
        let job = || self.answer(base, context, query, to_the_end);
        self.inner
            .query_pool
            .install(|| catch_unwind(AssertUnwindSafe(job)))
            .unwrap_or(Err(QueryError::Round(RoundError::Panicked)))
    }

    fn answer(
        &self,
        base: H256,
        context: &QueryContext,
        query: &Query,
        to_the_end: bool,
    ) -> Result<QueryReply, QueryError> {
        let content = Arc::new(Content::new(&self.inner.disk));
        let id = MessageId(blake2b256([
            &b"query"[..],
            query.source.as_bytes(),
            query.program.as_ref(),
            &query.payload,
        ]));
        let scope = Scope {
            codes: &self.inner.codes,
            content: &content,
            stats: &self.inner.stats,
            residents: &self.inner.query_residents,
            block: ChainBlock::default(),
            anchor: &context.anchor,
            parameters: &context.parameters,
            query: Some(id),
        };
        let mut round = Round::new(scope, base)?;
        match round.initialized(query.program)? {
            None => return Err(QueryError::UnknownProgram(query.program)),
            Some(false) => return Err(QueryError::Uninitialized(query.program)),
            Some(true) => {}
        }
        let incoming = Incoming {
            id,
            source: query.source.into(),
            payload: query.payload.clone(),
            value: query.value,
            answer: Answer::default(),
            message_type: MessageType::Canonical,
            gas: GasTerms::default(),
        };
        round.enqueue(query.program, DispatchKind::Handle, incoming)?;
        let parameters = &context.parameters;
        let gas = if to_the_end {
            // As much as a round has: waves are cut by it, and what runs in which wave has its price.
            parameters.round_gas_limit
        } else {
            parameters.message_gas_limit.saturating_mul(GAS_FACTOR)
        };
        let outcome = round.answer(query.program, gas, to_the_end)?;
        match outcome.answer {
            Some(answer) => Ok(QueryReply {
                payload: answer.payload,
                value: answer.value,
                code: answer.code,
                messages: outcome.messages,
                gas_burned: outcome.gas_burned,
                costs: outcome.costs,
            }),
            None if outcome.work_left => Err(QueryError::GasLimit(outcome.gas_burned)),
            None => Err(QueryError::NoReply),
        }
    }

    /// The contents of a custom section of an added code; nothing if there is no such code or section.
    ///
    /// # Errors
    ///
    /// [`StoreError`] if the store cannot be read.
    pub fn custom_section(&self, code: CodeId, name: &str) -> Result<Option<Vec<u8>>, StoreError> {
        let wasm = self.inner.codes.wasm(code)?;
        Ok(wasm.and_then(|wasm| crate::code::custom_section(&wasm, name)))
    }

    /// Up to `most` programs behind a state root, in the order of their ids, from this id on.
    ///
    /// # Errors
    ///
    /// [`StoreError`] if the root is not stored.
    pub fn programs_from(
        &self,
        root: H256,
        from: ActorId,
        most: usize,
    ) -> Result<Vec<(ActorId, ProgramRecord)>, StoreError> {
        let content = Content::new(&self.inner.disk);
        let programs = Root::load(&content, root)?.programs;
        let mut records = Map::<ActorId, ProgramRecord>::new(programs);
        let mut found = Vec::new();
        let mut next = Some(from);
        while let Some(from) = next.filter(|_| found.len() < most) {
            let Some((actor, record)) = records.seek(&content, &from)? else {
                break;
            };
            found.push((actor, record));
            next = after(actor);
        }
        Ok(found)
    }

    /// How many messages wait in the queue with this hash. The queue is not read for it.
    ///
    /// # Errors
    ///
    /// [`StoreError`] if it is not stored.
    pub fn queue_length(&self, hash: H256) -> Result<u64, StoreError> {
        let content = Content::new(&self.inner.disk);
        Ok(Line::<Dispatch>::load(&content, Some(hash))?.len())
    }

    /// A program's state with its queue, waitlist, stash and mailbox.
    ///
    /// # Errors
    ///
    /// [`StoreError`] if a part of it is not stored.
    pub fn full_state(&self, state_hash: H256) -> Result<FullProgramState, StoreError> {
        let state = self.read_state(state_hash)?;
        fn part<T>(
            hash: Option<H256>,
            read: impl FnOnce(H256) -> Result<T, StoreError>,
        ) -> Result<Option<T>, StoreError> {
            hash.map(read).transpose()
        }
        Ok(FullProgramState {
            canonical_queue: part(state.canonical_queue.hash, |hash| self.queue(hash))?,
            injected_queue: part(state.injected_queue.hash, |hash| self.queue(hash))?,
            waitlist: part(state.waitlist_hash, |hash| self.waitlist(hash))?.map(Tracked::from),
            stash: part(state.stash_hash, |hash| self.stash(hash))?,
            mailbox: part(state.mailbox_hash, |hash| self.mailbox(hash))?.map(Tracked::from),
            reservations: part(state.reservations_hash, |hash| self.read(hash))?,
            program: state.program,
            balance: state.balance,
            executable_balance: state.executable_balance,
            required_gas: state.required_gas,
        })
    }
}

/// The id after this one; nothing after the last.
fn after(ActorId(H256(mut bytes)): ActorId) -> Option<ActorId> {
    for byte in bytes.iter_mut().rev() {
        *byte = byte.wrapping_add(1);
        if *byte != 0 {
            return Some(ActorId(H256(bytes)));
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_follow_each_other() {
        let id = |last: [u8; 2]| {
            let mut bytes = [7; 32];
            bytes[30..].copy_from_slice(&last);
            ActorId(H256(bytes))
        };
        assert_eq!(after(id([1, 2])), Some(id([1, 3])));
        assert_eq!(after(id([1, 255])), Some(id([2, 0])));
        assert_eq!(after(ActorId(H256([255; 32]))), None);
    }
}
