//! Where inputs are played: an executor with a base to which it returns after each, and a twin that repeats every round.
//!
//! The twin has one thread and keeps no program in memory, so that whatever depends on either is seen. Both forget the
//! rounds of an input afterwards, and must hold then what they held before.

use crate::common::{Books, World};
use gear_exe_executor::{Executor, ExecutorConfig, Query, QueryContext, QueryError, RoundError};
use gear_exe_primitives::{
    ActorId, H160, H256, MessageId,
    ethereum::MirrorEvent,
    message::Receipt,
    round::{ExecutionParameters, NativeMessage},
};
use std::{cell::RefCell, collections::BTreeSet};

/// Bytes that programs may take in memory between messages.
const BUDGET: u64 = 64 << 20;

thread_local! {
    static REACHED: RefCell<BTreeSet<u32>> = const { RefCell::new(BTreeSet::new()) };
}

/// What the inputs of this thread have made happen since the last call: numbers without a meaning of their own, by which a
/// run without libFuzzer tells inputs that do something new.
pub fn reached() -> BTreeSet<u32> {
    REACHED.with(|reached| reached.take())
}

/// The input made something happen, of some kind and to some degree.
pub(crate) fn reach(kind: u8, what: u64) {
    let what = (what & 0xff_ffff) as u32;
    REACHED.with(|reached| reached.borrow_mut().insert(u32::from(kind) << 24 | what));
}

/// How large a number is, roughly.
pub(crate) fn scale(number: u64) -> u64 {
    u64::from(u64::BITS - number.leading_zeros())
}

/// An executor and its twin at their base.
pub(crate) struct Stage {
    pub(crate) world: World,
    twin: Executor,
    base: Base,
    /// Inputs played so far. Codes that were added stay, so a stage is not for ever.
    pub(crate) played: usize,
}

struct Base {
    root: H256,
    height: u64,
    block: u64,
    books: Books,
    programs: Vec<ActorId>,
    receipts: Vec<Receipt>,
    parameters: ExecutionParameters,
}

impl Stage {
    /// A stage with the programs that `prepare` makes.
    pub(crate) fn new(prepare: impl FnOnce(&mut World)) -> Self {
        let mut world = World::with(ExecutorConfig {
            path: None,
            threads: 2,
            memory_budget: BUDGET,
        });
        prepare(&mut world);
        // Small, so that a message that never ends ends soon.
        world.parameters.message_gas_limit = 4_000_000_000;
        world.parameters.round_gas_limit = 20_000_000_000;
        world.parameters.max_memory_pages = 1_024;
        world.parameters.max_wait = 20;
        world.parameters.mailbox_validity = 15;
        world.run();
        let twin = Executor::open(ExecutorConfig {
            path: None,
            threads: 1,
            memory_budget: 0,
        })
        .unwrap();
        let mut stage = Self {
            base: Base {
                root: world.root,
                height: world.height,
                block: world.block,
                books: world.books.clone(),
                programs: world.programs.clone(),
                receipts: world.receipts.clone(),
                parameters: world.parameters,
            },
            world,
            twin,
            played: 0,
        };
        stage.repeat();
        stage.world.history.clear();
        stage.world.messages.clear();
        stage
    }

    /// Lets `act` do what it wants to the world, and sees to it that all promises are kept.
    pub(crate) fn play(&mut self, act: impl FnOnce(&mut Actor<'_>)) {
        self.perform(act, true);
    }

    /// The same without the twin.
    pub(crate) fn play_alone(&mut self, act: impl FnOnce(&mut Actor<'_>)) {
        self.perform(act, false);
    }

    fn perform(&mut self, act: impl FnOnce(&mut Actor<'_>), twice: bool) {
        let before = self.stored();
        let mut actor = Actor {
            world: &mut self.world,
            nonce: 0,
            asked: Vec::new(),
        };
        act(&mut actor);
        let asked = actor.asked;
        let world = &self.world;
        for (_, input, outcome) in &world.history {
            reach(1, scale(outcome.receipts.len() as u64));
            reach(2, scale(outcome.gas_burned));
            reach(
                3,
                u64::from(outcome.work_left) << 8 | outcome.starved.len() as u64,
            );
            let messages = outcome.transitions.iter().map(|own| own.messages.len());
            reach(4, scale(messages.sum::<usize>() as u64));
            for receipt in &outcome.receipts {
                reach(5, u64::from(u32::from_le_bytes(receipt.code.0)));
            }
            assert!(outcome.gas_burned <= input.parameters.round_gas_limit);
        }
        for program in &world.programs {
            if world
                .executor
                .program(world.root, *program)
                .unwrap()
                .is_some()
            {
                reach(6, scale(world.queue(*program).len() as u64));
                reach(7, scale(world.waitlist(*program).len() as u64));
                reach(8, scale(world.stash(*program).len() as u64));
                reach(9, scale(world.reservations(*program).len() as u64));
            }
        }
        // What runs at the moment is not counted against the budget.
        let held = world.executor.stats().memory_bytes;
        assert!(held <= BUDGET, "{held} bytes in memory");
        if twice {
            self.repeat();
            for question in &asked {
                let again = question.answer(&self.twin);
                assert_eq!(again, question.answer, "the twin has another answer");
            }
        }
        let history = self.world.history.iter();
        let blocks: Vec<H256> = history.map(|(_, input, _)| input.block.hash).collect();
        let both = [&self.world.executor, &self.twin];
        for executor in both.into_iter().take(1 + usize::from(twice)) {
            let forgotten = executor.forget(&blocks, None).unwrap();
            assert_eq!(forgotten, blocks.len());
        }
        assert_eq!(
            self.stored(),
            before,
            "something is left of what is forgotten"
        );
        self.reset();
        self.played += 1;
    }

    /// Objects that both executors hold.
    fn stored(&self) -> [u64; 2] {
        [&self.world.executor, &self.twin].map(|executor| executor.stored().unwrap().objects)
    }

    /// Has the twin do everything that was done.
    fn repeat(&self) {
        for (_, input, _) in &self.world.history {
            for id in &input.codes {
                let wasm = self.world.executor.code(*id).unwrap().unwrap();
                self.twin.add_code(&wasm).unwrap();
            }
        }
        for (number, (base, input, outcome)) in self.world.history.iter().enumerate() {
            let again = self.twin.execute_round(*base, input).unwrap();
            assert_eq!(again, *outcome, "the twin differs in round {number}");
        }
    }

    fn reset(&mut self) {
        let (world, base) = (&mut self.world, &self.base);
        world.root = base.root;
        world.height = base.height;
        world.block = base.block;
        world.books = base.books.clone();
        world.programs = base.programs.clone();
        world.receipts = base.receipts.clone();
        world.parameters = base.parameters;
        world.events.clear();
        world.natives.clear();
        world.codes.clear();
        world.messages.clear();
        world.history.clear();
    }
}

/// Who acts on a world for an input. Ids of messages depend on the input alone, unlike those that the world itself makes.
pub(crate) struct Actor<'a> {
    pub(crate) world: &'a mut World,
    nonce: u64,
    asked: Vec<Question>,
}

/// A query that was made, and how it was answered.
struct Question {
    root: H256,
    context: QueryContext,
    query: Query,
    answer: [String; 2],
}

impl Question {
    /// What the message would do, and that with everything after its reply. There may be no answer, but the executor must
    /// not fail.
    fn answer(&self, executor: &Executor) -> [String; 2] {
        let reply = executor.calculate_reply(self.root, &self.context, &self.query);
        let whole = executor.estimate_cost(self.root, &self.context, &self.query);
        if let (Ok(reply), Ok(whole)) = (&reply, &whole) {
            assert_eq!(reply.payload, whole.payload);
            assert_eq!((reply.code, reply.value), (whole.code, whole.value));
            assert!(reply.gas_burned <= whole.gas_burned);
            assert!(whole.gas_burned <= 10 * self.context.parameters.message_gas_limit);
        }
        [reply, whole].map(|answer| {
            match &answer {
                Ok(reply) => reach(10, u64::from(u32::from_le_bytes(reply.code.0))),
                Err(QueryError::Round(RoundError::Overflow)) => reach(11, 1),
                Err(QueryError::Round(error)) => panic!("a query failed: {error}"),
                Err(QueryError::UnknownProgram(_)) => reach(11, 2),
                Err(QueryError::Uninitialized(_)) => reach(11, 3),
                Err(QueryError::NoReply) => reach(11, 4),
                Err(QueryError::GasLimit(_)) => reach(11, 5),
            }
            format!("{answer:?}")
        })
    }
}

impl Actor<'_> {
    /// The id of the message to `program` that is number `nonce` of an input.
    pub(crate) fn id(program: ActorId, nonce: u64) -> MessageId {
        let nonce = (1 << 40) + nonce;
        MessageId::from_mirror(program.to_address_lossy(), nonce.into())
    }

    fn next_id(&mut self, program: ActorId) -> MessageId {
        self.nonce += 1;
        Self::id(program, self.nonce)
    }

    pub(crate) fn send(
        &mut self,
        program: ActorId,
        source: H160,
        payload: Vec<u8>,
        value: u128,
        call_reply: bool,
    ) -> MessageId {
        let id = self.next_id(program);
        let event = MirrorEvent::MessageQueueingRequested {
            id,
            source,
            payload,
            value,
            call_reply,
        };
        self.world.mirror(program, event);
        id
    }

    pub(crate) fn native(
        &mut self,
        program: ActorId,
        source: H160,
        payload: Vec<u8>,
        receipt_only: bool,
    ) -> MessageId {
        let id = self.next_id(program);
        self.world.natives.push(NativeMessage {
            id,
            source,
            destination: program,
            payload,
            value: 0,
            receipt_only,
        });
        id
    }

    /// Asks what a message would do.
    pub(crate) fn query(&mut self, program: ActorId, source: H160, payload: &[u8], value: u128) {
        let mut question = Question {
            root: self.world.root,
            context: QueryContext {
                anchor: self.world.header(self.world.height),
                parameters: self.world.parameters,
            },
            query: Query {
                source,
                program,
                payload: payload.to_vec(),
                value,
                top_up: (value % 2 == 1).then_some(value),
            },
            answer: Default::default(),
        };
        question.answer = question.answer(&self.world.executor);
        self.asked.push(question);
    }
}
