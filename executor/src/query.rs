//! Queries: what a program would answer, on any stored state, without a trace.

use crate::{
    Executor, QueryError, RoundError, StoreError,
    round::{Round, Scope, events::Incoming},
    state::{Answer, DispatchKind, FullProgramState, MessageType, Tracked, store::Content},
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
        self.inner.stats.queries.fetch_add(1, Relaxed);
        let job = || self.answer(base, context, query);
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
        };
        round.enqueue(query.program, DispatchKind::Handle, incoming)?;
        let gas = context
            .parameters
            .message_gas_limit
            .saturating_mul(GAS_FACTOR);
        let outcome = round.answer(gas)?;
        match outcome.answer {
            Some(answer) => Ok(QueryReply {
                payload: answer.payload,
                value: answer.value,
                code: answer.code,
                messages: outcome.messages,
                gas_burned: outcome.gas_burned,
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
            program: state.program,
            balance: state.balance,
            executable_balance: state.executable_balance,
            required_gas: state.required_gas,
        })
    }
}
