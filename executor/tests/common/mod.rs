//! A world around an executor: Ethereum blocks with events, users, and the contracts' own account of every wei. Each
//! round is settled at once, as a batch of its own, by the rules of `Router.commitBatch` and `Mirror`.

// Each test file uses a part of it; a failed unwrap is a failed test.
#![allow(dead_code, clippy::unwrap_used)]

use gear_exe_executor::{
    Executor, ExecutorConfig, Query, QueryContext, QueryError, QueryReply,
    state::{
        Dispatch, DispatchStash, Mailbox, MessageQueue, Program, ProgramState, Reservations,
        UserMailbox, Waitlist,
    },
};
use gear_exe_primitives::{
    ActorId, CodeId, H160, H256, MessageId,
    ethereum::{EthereumBlock, EthereumEvent, EthereumHeader, MirrorEvent, RouterEvent},
    hashing::keccak256,
    message::{OutgoingMessage, Receipt, ReplyCode},
    round::{ChainBlock, ExecutionParameters, NativeMessage, RoundInput, RoundOutcome},
    transition::StateTransition,
};
use std::collections::BTreeMap;

pub const ALICE: H160 = H160([0xa1; 20]);
pub const BOB: H160 = H160([0xb0; 20]);
/// wVARA that is always enough.
pub const RICH: u128 = 1_000_000_000_000_000;

pub fn actor(address: H160) -> ActorId {
    address.into()
}

/// ETH as the contracts hold it.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Books {
    pub deposits: u128,
    pub custody: BTreeMap<ActorId, u128>,
    pub owned: BTreeMap<ActorId, u128>,
    pub paid: BTreeMap<H160, u128>,
    /// wVARA that programs were given for their gas.
    pub top_ups: BTreeMap<ActorId, u128>,
}

impl Books {
    fn deposit(&mut self, program: ActorId, value: u128) {
        self.deposits += value;
        *self.custody.entry(program).or_default() += value;
    }

    /// What comes with events goes into custody.
    pub fn deposit_all(&mut self, events: &[EthereumEvent]) {
        for event in events {
            if let EthereumEvent::Router(RouterEvent::Deposited { value, .. }) = event {
                self.deposit(ActorId::DEPOSITS, *value);
            }
            if let EthereumEvent::Mirror { actor_id, event } = event {
                self.deposit(*actor_id, value_of(event));
                if let MirrorEvent::ExecutableBalanceTopUpRequested { value } = event {
                    *self.top_ups.entry(*actor_id).or_default() += value;
                }
            }
        }
    }

    /// `commitBatch`: refuses what the Router would refuse, then applies it in its order.
    pub fn settle(&mut self, transitions: &[StateTransition]) {
        let mut sum = 0;
        for pair in transitions.windows(2) {
            assert!(pair[0].actor_id < pair[1].actor_id, "TransitionsNotSorted");
        }
        for transition in transitions {
            sum += transition.net_transfer;
            let custody = self.custody.get(&transition.actor_id).copied().unwrap_or(0) as i128;
            let rest = custody + transition.net_transfer - transition.value_to_receive;
            assert!(rest >= 0, "ValueNotConserved: {transition:?}");
            self.custody.insert(transition.actor_id, rest as u128);
            let owned = self.owned.entry(transition.actor_id).or_default();
            // `returnValue` comes before anything is received.
            let taken_back = (-transition.value_to_receive).max(0) as u128;
            assert!(
                *owned >= taken_back,
                "InsufficientOwnedValue: {transition:?}"
            );
            *owned = (*owned as i128 + transition.value_to_receive) as u128;
        }
        assert_eq!(sum, 0, "ValueNotConserved: net transfers");
        for transition in transitions {
            let mut payouts = Vec::new();
            for message in &transition.messages {
                if message.reply_details.is_some() {
                    payouts.push((message.destination, message.value));
                }
            }
            for claim in &transition.value_claims {
                payouts.push((claim.destination, claim.value));
            }
            let total: u128 = payouts.iter().map(|(_, value)| value).sum();
            let owned = self.owned.get_mut(&transition.actor_id).unwrap();
            assert!(*owned >= total, "InsufficientOwnedValue: {transition:?}");
            *owned -= total;
            if transition.is_of_deposits() {
                assert_eq!(*owned, 0, "the Router pays all at once: {transition:?}");
                assert!(transition.messages.is_empty() && transition.inheritor.is_none());
            }
            if let Some(heir) = transition.inheritor {
                payouts.push((heir.to_address_lossy(), std::mem::take(owned)));
            }
            for (user, value) in payouts.into_iter().filter(|(_, value)| *value > 0) {
                *self.paid.entry(user).or_default() += value;
            }
        }
    }

    /// Everything that came in is somewhere.
    pub fn assert_conserved(&self) {
        let there: u128 = [&self.custody, &self.owned]
            .into_iter()
            .flat_map(BTreeMap::values)
            .sum();
        let paid: u128 = self.paid.values().sum();
        assert_eq!(self.deposits, there + paid);
    }
}

/// ETH that comes with an event.
fn value_of(event: &MirrorEvent) -> u128 {
    match event {
        MirrorEvent::OwnedBalanceTopUpRequested { value }
        | MirrorEvent::MessageQueueingRequested { value, .. }
        | MirrorEvent::ReplyQueueingRequested { value, .. } => *value,
        MirrorEvent::ExecutableBalanceTopUpRequested { .. }
        | MirrorEvent::ValueClaimingRequested { .. } => 0,
    }
}

pub struct World {
    pub executor: Executor,
    pub parameters: ExecutionParameters,
    pub root: H256,
    /// Number of the last Ethereum block.
    pub height: u64,
    /// Number of the last round.
    pub block: u64,
    pub events: Vec<EthereumEvent>,
    pub natives: Vec<NativeMessage>,
    pub codes: Vec<CodeId>,
    pub books: Books,
    pub programs: Vec<ActorId>,
    /// Every message to Ethereum so far, with the program that sent it.
    pub messages: Vec<(ActorId, OutgoingMessage)>,
    pub receipts: Vec<Receipt>,
    /// Every round so far, by what it was given.
    pub history: Vec<(H256, RoundInput, RoundOutcome)>,
    nonce: u64,
}

impl World {
    pub fn new() -> Self {
        Self::with(ExecutorConfig {
            path: None,
            threads: 2,
            ..ExecutorConfig::default()
        })
    }

    pub fn with(config: ExecutorConfig) -> Self {
        Self {
            executor: Executor::open(config).unwrap(),
            // Settlement is free here, so that gas alone explains what a program pays; `budget.rs` has it priced.
            parameters: ExecutionParameters {
                value_per_settled_message: 0,
                value_per_settled_byte: 0,
                ..ExecutionParameters::default()
            },
            root: H256::zero(),
            height: 100,
            block: 0,
            events: Vec::new(),
            natives: Vec::new(),
            codes: Vec::new(),
            books: Books::default(),
            programs: Vec::new(),
            messages: Vec::new(),
            receipts: Vec::new(),
            history: Vec::new(),
            nonce: 0,
        }
    }

    /// A created program, neither funded nor initialised.
    pub fn create(&mut self, wasm: &[u8]) -> ActorId {
        let code_id = self.executor.add_code(wasm).unwrap();
        self.codes.push(code_id);
        let mut address = H160::from_low_u64_be(self.programs.len() as u64 + 1);
        address.0[0] = 0x77;
        let actor_id = ActorId::from(address);
        self.programs.push(actor_id);
        self.events
            .push(EthereumEvent::Router(RouterEvent::ProgramCreated {
                actor_id,
                code_id,
            }));
        actor_id
    }

    /// A funded program whose init has run.
    pub fn program(&mut self, wasm: &[u8], init: &[u8]) -> ActorId {
        let program = self.create(wasm);
        self.top_up(program, RICH);
        let id = self.send(program, ALICE, init, 0);
        self.run();
        assert!(
            self.code(id).is_success(),
            "init ended with {:?}",
            self.code(id)
        );
        program
    }

    pub fn mirror(&mut self, actor_id: ActorId, event: MirrorEvent) {
        self.events.push(EthereumEvent::Mirror { actor_id, event });
    }

    pub fn top_up(&mut self, program: ActorId, value: u128) {
        self.mirror(
            program,
            MirrorEvent::ExecutableBalanceTopUpRequested { value },
        );
    }

    pub fn give(&mut self, program: ActorId, value: u128) {
        self.mirror(program, MirrorEvent::OwnedBalanceTopUpRequested { value });
    }

    pub fn next_id(&mut self, program: ActorId) -> MessageId {
        self.nonce += 1;
        MessageId::from_mirror(program.to_address_lossy(), self.nonce.into())
    }

    pub fn send(
        &mut self,
        program: ActorId,
        source: H160,
        payload: &[u8],
        value: u128,
    ) -> MessageId {
        self.send_with(program, source, payload, value, false)
    }

    pub fn send_with(
        &mut self,
        program: ActorId,
        source: H160,
        payload: &[u8],
        value: u128,
        call_reply: bool,
    ) -> MessageId {
        let id = self.next_id(program);
        let event = MirrorEvent::MessageQueueingRequested {
            id,
            source,
            payload: payload.to_vec(),
            value,
            call_reply,
        };
        self.mirror(program, event);
        id
    }

    pub fn reply(
        &mut self,
        program: ActorId,
        source: H160,
        to: MessageId,
        payload: &[u8],
        value: u128,
    ) {
        let event = MirrorEvent::ReplyQueueingRequested {
            replied_to: to,
            source,
            payload: payload.to_vec(),
            value,
        };
        self.mirror(program, event);
    }

    pub fn claim(&mut self, program: ActorId, source: H160, claimed_id: MessageId) {
        self.mirror(
            program,
            MirrorEvent::ValueClaimingRequested { claimed_id, source },
        );
    }

    /// A user puts ETH by at the Router.
    pub fn deposit(&mut self, account: H160, value: u128) {
        let event = RouterEvent::Deposited { account, value };
        self.events.push(EthereumEvent::Router(event));
    }

    /// A user wants some of it back.
    pub fn withdraw(&mut self, account: H160, amount: u128) -> MessageId {
        let id = self.next_id(ActorId::DEPOSITS);
        let event = RouterEvent::WithdrawalRequested {
            account,
            amount,
            id,
        };
        self.events.push(EthereumEvent::Router(event));
        id
    }

    /// What a user has put by.
    pub fn deposit_of(&self, account: H160) -> u128 {
        self.executor.deposit(self.root, account).unwrap()
    }

    /// What was paid of a withdrawal.
    pub fn withdrawn(&self, id: MessageId) -> Vec<u128> {
        let transitions = self.history.iter().flat_map(|(.., own)| &own.transitions);
        let claims = transitions
            .filter(|own| own.is_of_deposits())
            .flat_map(|own| &own.value_claims);
        let own = claims.filter(|claim| claim.message_id == id);
        own.map(|claim| claim.value).collect()
    }

    /// A native message with value.
    pub fn native_with(
        &mut self,
        program: ActorId,
        source: H160,
        payload: &[u8],
        value: u128,
    ) -> MessageId {
        let id = self.native(program, source, payload);
        self.natives.last_mut().unwrap().value = value;
        id
    }

    pub fn native(&mut self, program: ActorId, source: H160, payload: &[u8]) -> MessageId {
        let id = self.next_id(program);
        self.natives.push(NativeMessage {
            id,
            source,
            destination: program,
            payload: payload.to_vec(),
            value: 0,
            receipt_only: false,
        });
        id
    }

    pub fn header(&self, number: u64) -> EthereumHeader {
        EthereumHeader {
            hash: H256::from_low_u64_be(number),
            parent: H256::from_low_u64_be(number - 1),
            number,
            timestamp: 1_700_000_000 + 12 * number,
            randao: keccak256([number.to_be_bytes()]),
            receipts_root: H256::zero(),
        }
    }

    /// The input of the next round: one Ethereum block with the pending events, and the pending native messages.
    pub fn input(&mut self) -> RoundInput {
        self.height += 1;
        let header = self.header(self.height);
        self.books.deposit_all(&self.events);
        let block = EthereumBlock {
            header,
            events: std::mem::take(&mut self.events),
        };
        self.input_with(vec![block])
    }

    fn input_with(&mut self, ethereum: Vec<EthereumBlock>) -> RoundInput {
        self.block += 1;
        RoundInput {
            block: ChainBlock {
                number: self.block,
                hash: keccak256([self.block.to_be_bytes()]),
            },
            anchor: self.header(self.height),
            ethereum,
            codes: std::mem::take(&mut self.codes),
            native: std::mem::take(&mut self.natives),
            parameters: self.parameters,
        }
    }

    /// A round with a new Ethereum block.
    pub fn round(&mut self) -> RoundOutcome {
        let input = self.input();
        self.execute(input)
    }

    /// A round without a new Ethereum block.
    pub fn quiet_round(&mut self) -> RoundOutcome {
        let input = self.input_with(Vec::new());
        self.execute(input)
    }

    fn execute(&mut self, input: RoundInput) -> RoundOutcome {
        let outcome = self.executor.execute_round(self.root, &input).unwrap();
        self.books.settle(&outcome.transitions);
        self.books.assert_conserved();
        for transition in &outcome.transitions {
            for message in &transition.messages {
                self.messages.push((transition.actor_id, message.clone()));
            }
        }
        self.receipts.extend(&outcome.receipts);
        self.history.push((self.root, input, outcome.clone()));
        self.root = outcome.state_root;
        if !outcome.work_left {
            self.assert_books_match();
        }
        outcome
    }

    /// Rounds until nothing is left to run.
    pub fn run(&mut self) -> RoundOutcome {
        let mut outcome = self.round();
        for _ in 0..1_000 {
            if !outcome.work_left {
                return outcome;
            }
            outcome = self.quiet_round();
        }
        panic!("the work has no end");
    }

    /// Empty Ethereum blocks.
    pub fn pass(&mut self, blocks: u64) {
        for _ in 0..blocks {
            self.run();
        }
    }

    pub fn state(&self, program: ActorId) -> ProgramState {
        let record = self.executor.program(self.root, program).unwrap().unwrap();
        self.executor.read_state(record.state_hash).unwrap()
    }

    pub fn queue(&self, program: ActorId) -> MessageQueue {
        let hash = self.state(program).canonical_queue.hash;
        hash.map_or_else(Default::default, |hash| self.executor.queue(hash).unwrap())
    }

    pub fn waitlist(&self, program: ActorId) -> Waitlist {
        let hash = self.state(program).waitlist_hash;
        hash.map_or_else(Default::default, |hash| {
            self.executor.waitlist(hash).unwrap()
        })
    }

    pub fn stash(&self, program: ActorId) -> DispatchStash {
        let hash = self.state(program).stash_hash;
        hash.map_or_else(Default::default, |hash| self.executor.stash(hash).unwrap())
    }

    fn mailboxes(&self, program: ActorId) -> Mailbox {
        let hash = self.state(program).mailbox_hash;
        hash.map_or_else(Default::default, |hash| {
            self.executor.mailbox(hash).unwrap()
        })
    }

    pub fn mailbox(&self, program: ActorId, user: H160) -> UserMailbox {
        let own = self.mailboxes(program).get(&actor(user)).copied();
        own.map_or_else(Default::default, |hash| {
            self.executor.user_mailbox(hash).unwrap()
        })
    }

    /// What programs and users believe to have is what the contracts hold for them.
    fn assert_books_match(&self) {
        let deposits = self.executor.deposits(self.root).unwrap();
        assert!(deposits.values().all(|own| *own > 0));
        let held = self.books.custody.get(&ActorId::DEPOSITS).copied();
        assert_eq!(
            deposits.values().sum::<u128>(),
            held.unwrap_or(0),
            "deposits"
        );
        for program in self.executor.program_ids(self.root).unwrap() {
            let state = self.state(program);
            let mailbox = self.mailboxes(program);
            let boxes = mailbox.values().flat_map(|hash| {
                let own = self.executor.user_mailbox(*hash).unwrap();
                own.into_values().map(|message| message.value.value)
            });
            // One that waits for randomness may not have run yet.
            let pending = self.pending(program);
            let queued = pending
                .iter()
                .filter(|dispatch| dispatch.context.is_none())
                .map(|dispatch| dispatch.value);
            let stash = self.stash(program);
            let delayed = stash.values().map(|stashed| stashed.value.0.value);
            let in_transit: u128 = boxes.chain(queued).chain(delayed).sum();
            let held = self.books.custody.get(&program).copied().unwrap_or(0);
            assert_eq!(in_transit, held, "custody of {program}");
            let owned = self.books.owned.get(&program).copied().unwrap_or(0);
            match state.program {
                Program::Exited(_) => assert_eq!(state.balance, 0),
                _ => assert_eq!(state.balance, owned, "what {program} owns"),
            }
        }
    }

    /// Messages that wait or are queued.
    pub fn pending(&self, program: ActorId) -> Vec<Dispatch> {
        let waiting = self.waitlist(program).into_values();
        let mut pending: Vec<_> = waiting.map(|waiting| waiting.value).collect();
        pending.extend(self.queue(program));
        pending
    }

    pub fn reservations(&self, program: ActorId) -> Reservations {
        let hash = self.state(program).reservations_hash;
        hash.map_or_else(Default::default, |hash| self.executor.read(hash).unwrap())
    }

    /// What a program has for its gas, with what it has set aside.
    pub fn executable(&self, program: ActorId) -> u128 {
        let reserved = self.reservations(program);
        let reserved = reserved.values().map(|own| own.value.value).sum::<u128>();
        let state = self.state(program);
        state.executable_balance + reserved + state.kept_for_signals
    }

    /// Gas that its messages have burned so far. Signals are not in it.
    pub fn gas_burned(&self, program: ActorId) -> u128 {
        let ended = self.receipts.iter();
        let ended = ended.filter(|receipt| receipt.program_id == program);
        let ended = ended.map(|receipt| receipt.gas_burned);
        let pending = self.pending(program);
        let pending = pending.iter().map(|own| {
            let kept = own.context.as_ref().map_or(0, |own| own.gas_burned);
            kept + own.draw.map_or(0, |draw| draw.gas_burned)
        });
        ended.chain(pending).map(u128::from).sum()
    }

    /// What a program has spent beyond what its messages burned: on signals, or on nothing. Prices must not have changed.
    pub fn unexplained(&self, program: ActorId) -> u128 {
        let given = self.books.top_ups.get(&program).copied().unwrap_or(0);
        let burned = self.gas_burned(program) * self.parameters.value_per_gas;
        let spent = given.checked_sub(self.executable(program));
        let spent = spent.unwrap_or_else(|| panic!("{program} has more than it was given"));
        spent
            .checked_sub(burned)
            .unwrap_or_else(|| panic!("{program} did not pay for all its gas"))
    }

    /// What `programs`, which are all, were given is there, or was counted as spent.
    pub fn assert_spent_is_counted(&self, programs: &[ActorId]) {
        let given: u128 = self.books.top_ups.values().sum();
        let left: u128 = programs.iter().map(|own| self.executable(*own)).sum();
        let spent: u128 = self.history.iter().map(|(.., round)| round.spent).sum();
        assert_eq!(given, left + spent);
    }

    pub fn receipt(&self, id: MessageId) -> Receipt {
        let mut own = self
            .receipts
            .iter()
            .filter(|receipt| receipt.message_id == id);
        let receipt = *own.next().unwrap_or_else(|| panic!("{id} has no receipt"));
        assert!(own.next().is_none(), "{id} has two receipts");
        receipt
    }

    pub fn has_receipt(&self, id: MessageId) -> bool {
        self.receipts.iter().any(|receipt| receipt.message_id == id)
    }

    pub fn code(&self, id: MessageId) -> ReplyCode {
        self.receipt(id).code
    }

    /// The one reply on Ethereum to a message.
    pub fn reply_to(&self, id: MessageId) -> OutgoingMessage {
        let mut own = self.messages.iter().filter(|(_, message)| {
            message
                .reply_details
                .is_some_and(|details| details.to == id)
        });
        let (_, message) = own.next().unwrap_or_else(|| panic!("{id} has no reply"));
        assert!(own.next().is_none(), "{id} has two replies");
        message.clone()
    }

    /// What a user has been sent, replies left out.
    pub fn mail(&self, user: H160) -> Vec<OutgoingMessage> {
        self.messages
            .iter()
            .map(|(_, message)| message)
            .filter(|message| message.destination == user && message.reply_details.is_none())
            .cloned()
            .collect()
    }

    /// Sends, runs, and gives the reply back.
    pub fn ask(&mut self, program: ActorId, payload: &[u8]) -> OutgoingMessage {
        let id = self.send(program, ALICE, payload, 0);
        self.run();
        self.reply_to(id)
    }

    /// How a message ends.
    pub fn ends(&mut self, program: ActorId, payload: &[u8]) -> ReplyCode {
        let reply = self.ask(program, payload);
        reply.reply_details.unwrap().code
    }

    pub fn query(&self, program: ActorId, payload: &[u8]) -> Result<QueryReply, QueryError> {
        self.query_as(ALICE, program, payload, 0)
    }

    pub fn query_as(
        &self,
        source: H160,
        program: ActorId,
        payload: &[u8],
        value: u128,
    ) -> Result<QueryReply, QueryError> {
        let (context, query) = self.question(source, program, payload, value);
        self.executor.calculate_reply(self.root, &context, &query)
    }

    /// What a message of Alice would cost.
    pub fn estimate(&self, program: ActorId, payload: &[u8], value: u128) -> QueryReply {
        let (context, query) = self.question(ALICE, program, payload, value);
        let estimate = self.executor.estimate_cost(self.root, &context, &query);
        estimate.unwrap()
    }

    fn question(
        &self,
        source: H160,
        program: ActorId,
        payload: &[u8],
        value: u128,
    ) -> (QueryContext, Query) {
        let context = QueryContext {
            anchor: self.header(self.height),
            parameters: self.parameters,
        };
        let query = Query {
            source,
            program,
            payload: payload.to_vec(),
            value,
            top_up: None,
        };
        (context, query)
    }
}

/// Lets every message wait for five blocks, again and again.
pub fn waiter() -> Vec<u8> {
    wat(r#"(import "env" "memory" (memory 1))
        (import "env" "gr_wait_for" (func $wait (param i32)))
        (func (export "init"))
        (func (export "handle") (call $wait (i32.const 5)))"#)
}

/// A module from its text, with the memory import in front.
pub fn wat(text: &str) -> Vec<u8> {
    wat::parse_str(format!("(module {text})")).unwrap()
}

/// Ethereum calldata: selector of `signature`, then words.
pub fn call(signature: &str, words: &[[u8; 32]]) -> Vec<u8> {
    let mut data = keccak256([signature]).0[..4].to_vec();
    words.iter().for_each(|word| data.extend_from_slice(word));
    data
}

pub fn word(number: u128) -> [u8; 32] {
    let mut word = [0; 32];
    word[16..].copy_from_slice(&number.to_be_bytes());
    word
}

pub fn command(name: &str, arguments: &[&[u8]]) -> Vec<u8> {
    [name.as_bytes(), &arguments.concat()].concat()
}
