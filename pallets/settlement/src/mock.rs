//! A runtime with this pallet alone, four validators, an invented Ethereum that may fork, and a Router that applies
//! what a test tells it to.

use crate::{self as pallet_settlement, Config, Event, KeyOf, Seal, Seals, SettlementParameters};
use gear_exe_primitives::{
    H160, H256,
    batch::{AppliedBatch, BatchHeader, RouterDomain},
    ethereum::{BlockId, EthereumHeader},
    evidence::OnFault,
    host::AuthorityId,
    signature::{CompactSignature, address_of_secret},
    vote::{EmptyBatch, RouterAt},
};
use polkadot_sdk::{
    frame_support::{
        self, derive_impl, parameter_types,
        traits::{ConstU32, Hooks, OneSessionHandler},
    },
    frame_system::{self, EnsureRoot, RawOrigin},
    sp_core::{Pair, ecdsa},
    sp_io::TestExternalities,
    sp_runtime::{
        BuildStorage,
        transaction_validity::{TransactionSource, TransactionValidityError},
    },
};
use std::{cell::RefCell, collections::BTreeMap};

frame_support::construct_runtime!(
    pub enum Test {
        System: frame_system,
        Settlement: pallet_settlement,
    }
);

#[derive_impl(frame_system::config_preludes::TestDefaultConfig)]
impl frame_system::Config for Test {
    type Block = frame_system::mocking::MockBlock<Test>;
}

parameter_types! {
    pub static Anchor: EthereumHeader = root();
    pub static Finalised: EthereumHeader = root();
    /// Headers below this number are dropped.
    pub static Dropped: u64 = 0;
    /// Weights that are not 1, by account.
    pub static Heavy: BTreeMap<u64, u64> = BTreeMap::new();
    /// When the stake of operators was read, and the operators of accounts.
    pub static Behind: Option<(u64, BTreeMap<u64, H160>)> = None;
}

parameter_types! {
    /// What was told of faults: set, signer, seal, its hash.
    pub static ToldFaults: Vec<(u64, H160, u64, H256)> = Vec::new();
    /// What was told of who signs: the set, and accounts with their addresses.
    pub static ToldSigners: Vec<(u64, Vec<(u64, H160)>)> = Vec::new();
    /// What was told of absence: set and signers.
    pub static ToldAbsence: Vec<(u64, Vec<H160>)> = Vec::new();
    /// Outbox items that are settled, as it was told.
    pub static ToldSettled: Vec<u64> = Vec::new();
}

/// Writes down what the pallet tells.
pub struct Faults;

impl OnFault<u64> for Faults {
    fn on_session(set_id: u64, signers: Vec<(u64, H160)>) {
        ToldSigners::mutate(|told| told.push((set_id, signers)));
    }

    fn on_double_sign(set_id: u64, signer: H160, seal_number: u64, seal_hash: H256) {
        ToldFaults::mutate(|told| told.push((set_id, signer, seal_number, seal_hash)));
    }

    fn on_absence(set_id: u64, absent: Vec<H160>) {
        ToldAbsence::mutate(|told| told.push((set_id, absent)));
    }

    fn on_settled(outbox_end: u64) {
        ToldSettled::mutate(|told| told.push(outbox_end));
    }
}

thread_local! {
    /// Every Ethereum block, with what the Router holds after it.
    static BLOCKS: RefCell<BTreeMap<H256, (EthereumHeader, AppliedBatch)>> =
        const { RefCell::new(BTreeMap::new()) };
}

fn ethereum_block(hash: H256) -> Option<(EthereumHeader, AppliedBatch)> {
    BLOCKS.with_borrow(|blocks| blocks.get(&hash).copied())
}

/// Ethereum, and stake.
pub struct Around;

impl crate::Ethereum for Around {
    fn anchor() -> EthereumHeader {
        Anchor::get()
    }

    fn finalised() -> EthereumHeader {
        Finalised::get()
    }

    fn is_ancestor_or_same(ancestor: BlockId, block: EthereumHeader) -> bool {
        let mut next = Some(block);
        while let Some(header) = next {
            if header.id() == ancestor {
                return true;
            }
            next = ethereum_block(header.parent)
                .map(|(parent, _)| parent)
                .filter(|parent| parent.number >= Dropped::get());
        }
        false
    }

    #[cfg(feature = "runtime-benchmarks")]
    fn set_anchor(header: EthereumHeader) {
        Anchor::set(header);
    }
}

impl crate::Weights<u64> for Around {
    fn weights(validators: &[u64]) -> Vec<u64> {
        let weight = |validator| Heavy::get().get(validator).copied().unwrap_or(1);
        validators.iter().map(weight).collect()
    }
}

impl crate::Operators<u64> for Around {
    fn operators(validators: &[u64]) -> Option<(u64, Vec<H160>)> {
        let (capture, behind) = Behind::get()?;
        let of = |validator| behind.get(validator).copied().unwrap_or_default();
        Some((capture, validators.iter().map(of).collect()))
    }
}

impl Config for Test {
    type Ethereum = Around;
    type OnFault = Faults;
    type Operators = Around;
    type PauseOrigin = EnsureRoot<u64>;
    type MaxValidators = ConstU32<128>;
    type WeightInfo = ();
    type Weights = Around;
}

pub const DOMAIN: RouterDomain = RouterDomain {
    chain_id: 31_337,
    router: H160::repeat_byte(7),
};

/// The first anchor: Ethereum block 100.
pub fn root() -> EthereumHeader {
    EthereumHeader {
        hash: H256::from_low_u64_be(100),
        number: 100,
        timestamp: 1_000,
        ..Default::default()
    }
}

/// An Ethereum block on `parent`, 12 seconds later, in which the Router applies nothing.
pub fn mine(parent: EthereumHeader) -> EthereumHeader {
    let held = held_at(&parent);
    mine_with(parent, held)
}

/// An Ethereum block on `parent` after which the Router holds `batch`.
pub fn mine_with(parent: EthereumHeader, batch: AppliedBatch) -> EthereumHeader {
    let header = EthereumHeader {
        hash: H256::from_low_u64_be(1_000 + BLOCKS.with_borrow(BTreeMap::len) as u64),
        parent: parent.hash,
        number: parent.number + 1,
        timestamp: parent.timestamp + 12,
        ..Default::default()
    };
    BLOCKS.with_borrow_mut(|blocks| blocks.insert(header.hash, (header, batch)));
    header
}

/// What the Router holds after `block`.
pub fn held_at(block: &EthereumHeader) -> AppliedBatch {
    ethereum_block(block.hash).map_or_else(Default::default, |(_, batch)| batch)
}

/// What the Router holds after it applied `batch` on top of what it holds at `parent`.
pub fn applied(header: &BatchHeader, parent: &EthereumHeader, outbox_end: u64) -> AppliedBatch {
    let before = held_at(parent);
    assert_eq!(header.nonce, before.nonce + 1, "nonce");
    assert_eq!(header.parent, before.digest, "parent");
    assert_eq!(header.set_id, before.set_id, "set");
    assert!(header.expiry >= parent.timestamp + 12, "expired");
    assert!(outbox_end >= before.outbox_end, "cursor");
    AppliedBatch {
        nonce: header.nonce,
        digest: header.digest(&DOMAIN),
        seal_number: header.seal_number,
        seal_hash: header.seal_hash,
        last_round: header.last_round,
        last_round_hash: header.last_round_hash,
        outbox_end,
        set_id: before.set_id,
        spent: before.spent,
    }
}

/// The anchor moves to `block`, and a quorum says in the same block of the chain what the Router holds there.
pub fn follow(block: EthereumHeader) {
    Anchor::set(block);
    let router = RouterAt {
        block: block.id(),
        batch: held_at(&block),
    };
    Settlement::router_agreed(router);
    next_block();
}

/// Like [`follow`], without looking at the whole state: for many blocks.
pub fn follow_quietly(block: EthereumHeader) {
    Anchor::set(block);
    Settlement::router_agreed(RouterAt {
        block: block.id(),
        batch: held_at(&block),
    });
    let now = System::block_number();
    Settlement::on_finalize(now);
    System::initialize(&(now + 1), &block_hash(now), &Default::default());
    Settlement::on_initialize(now + 1);
}

/// `block` is final from this block of the chain on. From the next one on the headers below it are gone.
pub fn finalise(block: EthereumHeader) {
    Finalised::set(block);
    next_block();
    Dropped::set(block.number);
}

pub fn block_hash(number: u64) -> H256 {
    H256::from_low_u64_be(0xb10c_0000 + number)
}

/// Ends the block, checks the state, begins the next one.
pub fn next_block() {
    let now = System::block_number();
    Settlement::on_finalize(now);
    Settlement::do_try_state().unwrap();
    System::initialize(&(now + 1), &block_hash(now), &Default::default());
    Settlement::on_initialize(now + 1);
    Settlement::do_try_state().unwrap();
}

pub fn blocks(count: u64) {
    (0..count).for_each(|_| next_block());
}

/// The newest seal.
pub fn newest() -> u64 {
    *crate::SealNumbers::<Test>::get().last().unwrap()
}

pub fn seal(number: u64) -> Seal {
    Seals::<Test>::get(number).unwrap()
}

/// The batch of a seal, with some content.
pub fn batch_of(number: u64, content: u8) -> BatchHeader {
    let seal = seal(number);
    BatchHeader {
        genesis: Settlement::genesis_hash(),
        seal_number: number,
        seal_hash: seal.hash,
        last_round: number,
        last_round_hash: seal.hash,
        nonce: seal.router.nonce + 1,
        parent: seal.router.digest,
        anchor_number: seal.anchor.number,
        anchor_hash: seal.anchor.hash,
        set_id: seal.set_id,
        content: H256::repeat_byte(content),
        expiry: seal.expiry,
    }
}

pub fn secret(account: u64) -> [u8; 32] {
    [account as u8 + 1; 32]
}

pub fn address(account: u64) -> H160 {
    address_of_secret(&secret(account)).unwrap()
}

pub type Voted = Result<(), TransactionValidityError>;

/// `validator` votes for `header` with the key of `account`.
pub fn sign_as(account: u64, validator: u32, header: &BatchHeader) -> Voted {
    let signature = CompactSignature::sign(&secret(account), header.digest(&DOMAIN)).unwrap();
    let source = TransactionSource::External;
    Settlement::authorize_signature(source, header, &validator, &signature)?;
    let origin = RawOrigin::Authorized.into();
    Settlement::submit_batch_signature(origin, *header, validator, signature).unwrap();
    Settlement::do_try_state().unwrap();
    Ok(())
}

/// Validator and account of the same number: so it is in the first set.
pub fn sign(validator: u32, header: &BatchHeader) -> Voted {
    sign_as(validator.into(), validator, header)
}

/// A quorum of the first set signs the batch of a seal.
pub fn ready(number: u64) -> BatchHeader {
    let header = batch_of(number, 1);
    for validator in 0..3 {
        sign(validator, &header).unwrap();
    }
    header
}

pub fn empty_of(number: u64) -> EmptyBatch {
    EmptyBatch {
        set_id: seal(number).set_id,
        seal_number: number,
        seal_hash: seal(number).hash,
    }
}

pub fn vote_empty(validator: u32, empty: EmptyBatch) -> Voted {
    let digest = empty.digest(Settlement::genesis_hash());
    let signature = CompactSignature::sign(&secret(validator.into()), digest).unwrap();
    let source = TransactionSource::External;
    Settlement::authorize_empty(source, &empty, &validator, &signature)?;
    let origin = RawOrigin::Authorized.into();
    Settlement::submit_empty(origin, empty, validator, signature).unwrap();
    Settlement::do_try_state().unwrap();
    Ok(())
}

/// A quorum of the first set says that there is nothing to send.
pub fn nothing(number: u64) {
    for validator in 0..3 {
        vote_empty(validator, empty_of(number)).unwrap();
    }
}

/// The session keys of `accounts`.
pub fn keys(accounts: impl IntoIterator<Item = u64>) -> Vec<KeyOf<u64>> {
    accounts
        .into_iter()
        .map(|account| {
            let pair = ecdsa::Pair::from_seed(&secret(account));
            (account, AuthorityId::from(pair.public()))
        })
        .collect()
}

/// A session begins, with these validators.
pub fn new_session(accounts: impl IntoIterator<Item = u64>) {
    new_session_with(&keys(accounts));
}

/// A session begins, with these keys.
pub fn new_session_with(keys: &[KeyOf<u64>]) {
    let validators = || keys.iter().map(|(account, key)| (account, key.clone()));
    Settlement::on_new_session(true, validators(), validators());
    Settlement::do_try_state().unwrap();
}

/// The pallet's events.
pub fn events() -> Vec<Event<Test>> {
    System::events()
        .into_iter()
        .filter_map(|record| match record.event {
            RuntimeEvent::Settlement(event) => Some(event),
            _ => None,
        })
        .collect()
}

/// The state at genesis, in block 1.
pub fn new_test_ext() -> TestExternalities {
    ext_with(RouterAt {
        block: root().id(),
        ..Default::default()
    })
}

pub fn ext_with(router: RouterAt) -> TestExternalities {
    Anchor::set(root());
    Finalised::set(root());
    Dropped::set(0);
    Heavy::set(BTreeMap::new());
    ToldFaults::take();
    ToldSigners::take();
    ToldSettled::take();
    BLOCKS.set(BTreeMap::from([(root().hash, (root(), router.batch))]));
    let storage = frame_system::GenesisConfig::<Test>::default()
        .build_storage()
        .unwrap();
    let mut externalities = TestExternalities::new(storage);
    externalities.execute_with(|| {
        // The session's pallet comes first at genesis.
        let keys = keys(0..4);
        let validators = keys.iter().map(|(account, key)| (account, key.clone()));
        Settlement::on_genesis_session(validators);
        let genesis = crate::GenesisConfig::<Test> {
            domain: Some(DOMAIN),
            router,
            parameters: SettlementParameters {
                patience: 10,
                ..Default::default()
            },
            ..Default::default()
        };
        frame_support::traits::BuildGenesisConfig::build(&genesis);
        System::initialize(&1, &block_hash(0), &Default::default());
        Settlement::on_initialize(1);
    });
    externalities
}

/// Runs a test on the state at genesis, and checks the state that it leaves.
pub fn run(test: impl FnOnce()) {
    new_test_ext().execute_with(|| {
        test();
        Settlement::do_try_state().unwrap();
    });
}
