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
use gear_exe_primitives::{H160, H256, native::PurgeReason, round::ChainBlock};
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

/// A round by which it is judged whether programs can take messages.
#[derive(Clone, Copy, Debug)]
pub struct Standing {
    /// The round's block.
    pub block: ChainBlock,
    /// The state of all programs after it.
    pub state_root: H256,
    /// wVARA base units that a program must have.
    pub least: u128,
}

/// What an author asks about messages.
pub trait Admission: Send + Sync + 'static {
    /// The newest executed round; nothing if it is more than [`LAG`] blocks behind the best block.
    fn standing(&self) -> Option<Standing>;
    /// Why a program can do nothing with a message after that round, if so.
    fn program_refuses(&self, standing: &Standing, program: H160) -> Option<PurgeReason>;
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
    /// Nothing if execution is behind.
    standing: Option<Standing>,
    /// Whether messages to these programs are taken: each is asked about once in a block.
    programs: HashMap<H160, bool>,
    ready: Box<I>,
}

impl<I: ?Sized> Chosen<I> {
    fn takes(&mut self, extrinsic: &OpaqueExtrinsic) -> bool {
        let Some(native) = native_in(extrinsic) else {
            return true;
        };
        let taken = self.is_of_use(native.transaction.destination);
        if !taken {
            self.metrics.natives_left_out.inc();
        }
        taken
    }

    fn is_of_use(&mut self, program: H160) -> bool {
        let Some(standing) = &self.standing else {
            return false;
        };
        match self.programs.entry(program) {
            Entry::Occupied(known) => *known.get(),
            Entry::Vacant(unknown) => {
                let refused = self.admission.program_refuses(standing, program);
                *unknown.insert(refused.is_none())
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
            standing: self.admission.standing(),
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

#[cfg(test)]
mod tests {
    use super::*;
    use gear_exe_primitives::{
        CodeId,
        native::{NativeTransaction, SignedNative, SigningForm},
        signature::CompactSignature,
        vote::{CodeVote, Verdict},
    };
    use gear_exe_runtime::Runtime;
    use parking_lot::Mutex;
    use polkadot_sdk::{
        frame_system::offchain::CreateAuthorizedTransaction,
        sp_runtime::transaction_validity::{
            TransactionLongevity, TransactionPriority, TransactionTag,
        },
    };

    const KNOWN: H160 = H160::repeat_byte(1);
    const UNKNOWN: H160 = H160::repeat_byte(2);

    struct Waiting(Arc<OpaqueExtrinsic>);

    impl InPoolTransaction for Waiting {
        type Transaction = Arc<OpaqueExtrinsic>;
        type Hash = ();

        fn data(&self) -> &Self::Transaction {
            &self.0
        }

        fn hash(&self) -> &Self::Hash {
            &()
        }

        fn priority(&self) -> &TransactionPriority {
            &0
        }

        fn longevity(&self) -> &TransactionLongevity {
            &0
        }

        fn requires(&self) -> &[TransactionTag] {
            &[]
        }

        fn provides(&self) -> &[TransactionTag] {
            &[]
        }

        fn is_propagable(&self) -> bool {
            true
        }
    }

    struct Pool(std::vec::IntoIter<Arc<Waiting>>);

    impl Iterator for Pool {
        type Item = Arc<Waiting>;

        fn next(&mut self) -> Option<Self::Item> {
            self.0.next()
        }
    }

    impl ReadyTransactions for Pool {
        fn report_invalid(&mut self, _: &Self::Item) {}
    }

    /// Knows one program, and what it was asked.
    #[derive(Default)]
    struct Asked(Mutex<Vec<H160>>);

    impl Admission for Asked {
        fn standing(&self) -> Option<Standing> {
            None
        }

        fn program_refuses(&self, _: &Standing, program: H160) -> Option<PurgeReason> {
            self.0.lock().push(program);
            (program != KNOWN).then_some(PurgeReason::UnknownDestination)
        }
    }

    fn extrinsic(call: pallet_execution::Call<Runtime>) -> OpaqueExtrinsic {
        let transaction = <Runtime as CreateAuthorizedTransaction<
            pallet_execution::Call<Runtime>,
        >>::create_authorized_transaction(call.into());
        OpaqueExtrinsic::from(transaction)
    }

    fn native(destination: H160, salt: u8) -> OpaqueExtrinsic {
        let signed = SignedNative {
            transaction: NativeTransaction {
                destination,
                payload: Vec::new(),
                value: 0,
                reference_block: H256::zero(),
                salt: vec![salt],
            },
            form: SigningForm::Typed,
            source: H160::zero(),
            signature: CompactSignature([0; 64]),
        };
        extrinsic(pallet_execution::Call::<Runtime>::submit_native { signed })
    }

    /// What an author takes of three native messages and a transaction of another kind.
    fn taken(standing: Option<Standing>) -> (Vec<OpaqueExtrinsic>, Vec<H160>, u64) {
        let asked = Arc::<Asked>::default();
        let metrics = Metrics::new(None).unwrap();
        let pool = [
            native(KNOWN, 1),
            native(UNKNOWN, 2),
            other(),
            native(KNOWN, 3),
        ]
        .map(|extrinsic| Arc::new(Waiting(Arc::new(extrinsic))));
        let chosen = Chosen {
            admission: asked.clone(),
            metrics: metrics.clone(),
            standing,
            programs: HashMap::new(),
            ready: Box::new(Pool(Vec::from(pool).into_iter())),
        };
        let taken = chosen
            .map(|one| OpaqueExtrinsic::clone(one.data()))
            .collect();
        let asked = asked.0.lock().clone();
        (taken, asked, metrics.natives_left_out.get())
    }

    fn other() -> OpaqueExtrinsic {
        extrinsic(pallet_execution::Call::<Runtime>::submit_code_vote {
            vote: CodeVote {
                set_id: 0,
                code_id: CodeId(H256::zero()),
                request_id: H256::zero(),
                cursor: 0,
                verdict: Verdict::Valid,
            },
            validator: 0,
            signature: CompactSignature([0; 64]),
        })
    }

    #[test]
    fn what_no_program_can_use_is_left_out_and_each_is_asked_about_once() {
        let standing = Standing {
            block: ChainBlock {
                number: 1,
                hash: H256::zero(),
            },
            state_root: H256::zero(),
            least: 0,
        };
        let (taken, asked, left_out) = taken(Some(standing));
        assert_eq!(taken, [native(KNOWN, 1), other(), native(KNOWN, 3)]);
        assert_eq!(asked, [KNOWN, UNKNOWN]);
        assert_eq!(left_out, 1);
    }

    #[test]
    fn no_native_message_is_taken_while_execution_is_behind() {
        let (taken, asked, left_out) = taken(None);
        assert_eq!(taken, [other()]);
        assert!(asked.is_empty());
        assert_eq!(left_out, 3);
    }
}
