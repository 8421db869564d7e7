//! What an author takes of the native messages that wait: the pool as block building sees it.
//!
//! A node asks about the program before it takes a message from a client, but what comes by gossip has passed the runtime's
//! checks only, and those cannot know programs: anybody could fill blocks, for free, with messages to programs that do not
//! exist. So an author leaves out what a program can do nothing with, and takes none at all while its own execution is behind:
//! blocks grow no faster than they are executed. Both are policies of the author and never make a block invalid (protocol.md,
//! section 3). What is left out stays in the pool. Whether a deposit covers a message's value is for the round to say: its
//! refusal is a receipt, which comes at once.

use crate::{executor_service::chain::native_in, metrics::Metrics};
use async_trait::async_trait;
use gear_exe_primitives::{H160, native::PurgeReason};
use polkadot_sdk::{
    sc_transaction_pool_api::{
        ImportNotificationStream, InPoolTransaction, PoolStatus, ReadyTransactions, TransactionFor,
        TransactionPool, TransactionSource, TransactionStatusStreamFor, TxHash,
        TxInvalidityReportMap,
    },
    sp_runtime::{OpaqueExtrinsic, traits::Block as BlockT},
};
use std::{
    collections::{HashMap, hash_map::Entry},
    pin::Pin,
    sync::Arc,
    time::Duration,
};

/// Blocks by which execution may be behind the best block before its node takes no messages into its own.
pub const LAG: u64 = 4;

/// What an author asks about messages.
pub trait Admission: Send + Sync + 'static {
    /// Whether execution is at most [`LAG`] blocks behind the best block.
    fn keeps_up(&self) -> bool;
    /// Why a program can do nothing with a message, if so, as the newest executed round has it.
    fn program_refuses(&self, program: H160) -> Option<PurgeReason>;
}

/// The pool, as an author sees it. Everything but [`TransactionPool::ready_at_with_timeout`], by which blocks are filled, is
/// the pool's own.
pub struct AuthorsPool<P> {
    pool: Arc<P>,
    admission: Arc<dyn Admission>,
    metrics: Metrics,
}

impl<P> AuthorsPool<P> {
    /// Over the node's pool.
    pub fn new(pool: Arc<P>, admission: Arc<dyn Admission>, metrics: Metrics) -> Self {
        Self {
            pool,
            admission,
            metrics,
        }
    }
}

type Ready<P> = dyn ReadyTransactions<Item = Arc<<P as TransactionPool>::InPoolTransaction>> + Send;

/// The transactions of one block to be built: those of `ready` that the author takes.
struct Chosen<I: ?Sized> {
    admission: Arc<dyn Admission>,
    metrics: Metrics,
    keeps_up: bool,
    /// Whether messages to these programs are taken: each is asked about once in a block.
    programs: HashMap<H160, bool>,
    ready: Box<I>,
}

impl<I: ?Sized> Chosen<I> {
    fn takes(&mut self, extrinsic: &OpaqueExtrinsic) -> bool {
        let Some(native) = native_in(extrinsic) else {
            return true;
        };
        let taken = self.keeps_up && self.is_of_use(native.transaction.destination);
        if !taken {
            self.metrics.natives_left_out.inc();
        }
        taken
    }

    fn is_of_use(&mut self, program: H160) -> bool {
        match self.programs.entry(program) {
            Entry::Occupied(known) => *known.get(),
            Entry::Vacant(unknown) => {
                *unknown.insert(self.admission.program_refuses(program).is_none())
            }
        }
    }
}

impl<T, I> Iterator for Chosen<I>
where
    T: InPoolTransaction<Transaction = Arc<OpaqueExtrinsic>>,
    I: ReadyTransactions<Item = Arc<T>> + ?Sized,
{
    type Item = Arc<T>;

    fn next(&mut self) -> Option<Self::Item> {
        loop {
            let transaction = self.ready.next()?;
            if self.takes(transaction.data()) {
                return Some(transaction);
            }
        }
    }
}

impl<T, I> ReadyTransactions for Chosen<I>
where
    T: InPoolTransaction<Transaction = Arc<OpaqueExtrinsic>>,
    I: ReadyTransactions<Item = Arc<T>> + ?Sized,
{
    fn report_invalid(&mut self, transaction: &Self::Item) {
        self.ready.report_invalid(transaction);
    }
}

#[async_trait]
impl<P> TransactionPool for AuthorsPool<P>
where
    P: TransactionPool + 'static,
    P::Block: BlockT<Extrinsic = OpaqueExtrinsic>,
{
    type Block = P::Block;
    type Hash = P::Hash;
    type InPoolTransaction = P::InPoolTransaction;
    type Error = P::Error;

    async fn ready_at_with_timeout(
        &self,
        at: <Self::Block as BlockT>::Hash,
        timeout: Duration,
    ) -> Box<Ready<Self>> {
        Box::new(Chosen {
            admission: self.admission.clone(),
            metrics: self.metrics.clone(),
            keeps_up: self.admission.keeps_up(),
            programs: HashMap::new(),
            ready: self.pool.ready_at_with_timeout(at, timeout).await,
        })
    }

    async fn submit_at(
        &self,
        at: <Self::Block as BlockT>::Hash,
        source: TransactionSource,
        transactions: Vec<TransactionFor<Self>>,
    ) -> Result<Vec<Result<TxHash<Self>, Self::Error>>, Self::Error> {
        self.pool.submit_at(at, source, transactions).await
    }

    async fn submit_one(
        &self,
        at: <Self::Block as BlockT>::Hash,
        source: TransactionSource,
        transaction: TransactionFor<Self>,
    ) -> Result<TxHash<Self>, Self::Error> {
        self.pool.submit_one(at, source, transaction).await
    }

    async fn submit_and_watch(
        &self,
        at: <Self::Block as BlockT>::Hash,
        source: TransactionSource,
        transaction: TransactionFor<Self>,
    ) -> Result<Pin<Box<TransactionStatusStreamFor<Self>>>, Self::Error> {
        self.pool.submit_and_watch(at, source, transaction).await
    }

    async fn ready_at(&self, at: <Self::Block as BlockT>::Hash) -> Box<Ready<Self>> {
        self.pool.ready_at(at).await
    }

    fn ready(&self) -> Box<Ready<Self>> {
        self.pool.ready()
    }

    async fn report_invalid(
        &self,
        at: Option<<Self::Block as BlockT>::Hash>,
        errors: TxInvalidityReportMap<TxHash<Self>>,
    ) -> Vec<Arc<Self::InPoolTransaction>> {
        self.pool.report_invalid(at, errors).await
    }

    fn futures(&self) -> Vec<Self::InPoolTransaction> {
        self.pool.futures()
    }

    fn status(&self) -> PoolStatus {
        self.pool.status()
    }

    fn import_notification_stream(&self) -> ImportNotificationStream<TxHash<Self>> {
        self.pool.import_notification_stream()
    }

    fn on_broadcasted(&self, propagations: HashMap<TxHash<Self>, Vec<String>>) {
        self.pool.on_broadcasted(propagations);
    }

    fn hash_of(&self, transaction: &TransactionFor<Self>) -> TxHash<Self> {
        self.pool.hash_of(transaction)
    }

    fn ready_transaction(&self, hash: &TxHash<Self>) -> Option<Arc<Self::InPoolTransaction>> {
        self.pool.ready_transaction(hash)
    }
}
