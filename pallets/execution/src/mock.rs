//! A runtime with this pallet alone, four validators, and an Ethereum made of invented headers.

use crate::{self as pallet_execution, HeaderList};
use gear_exe_primitives::{
    H160, H256,
    batch::RouterDomain,
    ethereum::{BlockId, EthereumHeader},
    outbox::OutboxItem,
    quorum::Member,
    signature::{CompactSignature, address_of_secret},
    vote::{RouterAt, View},
};
use polkadot_sdk::{
    frame_support::{
        self, derive_impl, parameter_types,
        traits::{ConstU32, Hooks},
    },
    frame_system::{self, RawOrigin},
    sp_io::TestExternalities,
    sp_runtime::{
        BuildStorage,
        testing::TestXt,
        transaction_validity::{TransactionSource, TransactionValidityError},
    },
};

frame_support::construct_runtime!(
    pub enum Test {
        System: frame_system,
        Execution: pallet_execution,
    }
);

pub type Block = frame_system::mocking::MockBlock<Test>;
pub type Extrinsic = TestXt<RuntimeCall, ()>;

#[derive_impl(frame_system::config_preludes::TestDefaultConfig)]
impl frame_system::Config for Test {
    type Block = Block;
}

impl<C> frame_system::offchain::CreateTransactionBase<C> for Test
where
    RuntimeCall: From<C>,
{
    type Extrinsic = Extrinsic;
    type RuntimeCall = RuntimeCall;
}

impl<C> frame_system::offchain::CreateTransaction<C> for Test
where
    RuntimeCall: From<C>,
{
    type Extension = ();

    fn create_transaction(call: RuntimeCall, (): ()) -> Extrinsic {
        Extrinsic::new_transaction(call, ())
    }
}

impl<C> frame_system::offchain::CreateAuthorizedTransaction<C> for Test
where
    RuntimeCall: From<C>,
{
    fn create_extension() {}
}

parameter_types! {
    pub static SetId: u64 = 0;
    pub static Members: Vec<Member> = Vec::new();
    pub static Pushed: Vec<OutboxItem> = Vec::new();
    pub static Agreed: Vec<RouterAt> = Vec::new();
    pub static Router: Option<RouterDomain> = Some(DOMAIN);
}

/// Where the chain settles.
pub const DOMAIN: RouterDomain = RouterDomain {
    chain_id: 1,
    router: H160::repeat_byte(0x70),
};

pub const GENESIS: H256 = H256::repeat_byte(0x69);

pub struct Around;

impl crate::ValidatorSet for Around {
    fn set_id() -> u64 {
        SetId::get()
    }

    fn members() -> Vec<Member> {
        Members::get()
    }

    fn genesis_hash() -> H256 {
        GENESIS
    }

    #[cfg(feature = "runtime-benchmarks")]
    fn set_members(members: Vec<Member>) {
        Members::set(members);
    }
}

impl crate::Outbox for Around {
    fn push(item: OutboxItem) -> u64 {
        Pushed::mutate(|items| items.push(item));
        Self::end() - 1
    }

    fn end() -> u64 {
        Pushed::get().len() as u64
    }
}

impl crate::OnRouter for Around {
    fn agreed(router: RouterAt) {
        Agreed::mutate(|reports| reports.push(router));
    }

    fn known_at() -> BlockId {
        Agreed::get()
            .last()
            .map_or(root().id(), |router| router.block)
    }

    #[cfg(feature = "runtime-benchmarks")]
    fn set_domain(domain: RouterDomain) {
        Router::set(Some(domain));
    }
}

impl crate::Config for Test {
    type Domain = Router;
    type MaxValidators = ConstU32<128>;
    type OnRouter = Around;
    type Outbox = Around;
    type Validators = Around;
    type WeightInfo = ();
}

pub fn secret(validator: u32) -> [u8; 32] {
    [validator as u8 + 1; 32]
}

/// An Ethereum block on `parent`; `salt` tells siblings apart.
pub fn child(parent: &EthereumHeader, salt: u32) -> (EthereumHeader, Vec<u8>) {
    let mut rlp = rlp::RlpStream::new_list(16);
    for field in 0..16 {
        match field {
            0 => rlp.append(&parent.hash.as_bytes()),
            8 => rlp.append(&(parent.number + 1)),
            11 => rlp.append(&(parent.timestamp + 12)),
            6 => rlp.append(&vec![0u8; 256]),
            7 | 9 | 10 | 15 => rlp.append(&1u64),
            12 => rlp.append(&salt.to_be_bytes().to_vec()),
            14 => rlp.append(&vec![0u8; 8]),
            _ => rlp.append(&vec![salt as u8; 32]),
        };
    }
    let bytes = rlp.out().to_vec();
    (EthereumHeader::decode_rlp(&bytes).unwrap(), bytes)
}

/// The first anchor: Ethereum block 100.
pub fn root() -> EthereumHeader {
    EthereumHeader {
        hash: H256::repeat_byte(100),
        number: 100,
        timestamp: 1_000,
        ..Default::default()
    }
}

/// `length` blocks on `parent`.
pub fn branch(parent: &EthereumHeader, salt: u32, length: usize) -> Vec<(EthereumHeader, Vec<u8>)> {
    let mut blocks: Vec<(EthereumHeader, Vec<u8>)> = Vec::new();
    for _ in 0..length {
        let parent = blocks.last().map_or(*parent, |(header, _)| *header);
        blocks.push(child(&parent, salt));
    }
    blocks
}

pub fn list(blocks: &[(EthereumHeader, Vec<u8>)]) -> HeaderList {
    blocks
        .iter()
        .map(|(_, bytes)| bytes.clone().try_into().unwrap())
        .collect::<Vec<_>>()
        .try_into()
        .unwrap()
}

pub fn view(tip: BlockId, finalised: BlockId) -> View {
    View {
        set_id: SetId::get(),
        seq: System::block_number(),
        tip,
        finalised,
        router: None,
    }
}

/// Checks and dispatches a view as the chain does.
pub fn send(
    validator: u32,
    view: View,
    headers: HeaderList,
) -> Result<(), TransactionValidityError> {
    let signature = CompactSignature::sign(&secret(validator), view.digest(GENESIS)).unwrap();
    send_signed(validator, view, headers, signature)
}

pub fn send_signed(
    validator: u32,
    view: View,
    headers: HeaderList,
    signature: CompactSignature,
) -> Result<(), TransactionValidityError> {
    Execution::authorize_view(
        TransactionSource::External,
        &view,
        &validator,
        &headers,
        &signature,
    )?;
    Execution::submit_view(
        RawOrigin::Authorized.into(),
        view,
        validator,
        headers,
        signature,
    )
    .unwrap();
    Execution::do_try_state().unwrap();
    Ok(())
}

/// `validator` reports the last of `blocks`.
pub fn see(validator: u32, blocks: &[(EthereumHeader, Vec<u8>)]) {
    let tip = blocks.last().unwrap().0.id();
    send(validator, view(tip, root().id()), list(blocks)).unwrap();
}

/// Like [`send`], without looking at the whole state: for many views.
pub fn send_unchecked(validator: u32, view: View, headers: HeaderList) {
    let signature = CompactSignature::sign(&secret(validator), view.digest(GENESIS)).unwrap();
    let source = TransactionSource::External;
    Execution::authorize_view(source, &view, &validator, &headers, &signature).unwrap();
    let origin = RawOrigin::Authorized.into();
    Execution::submit_view(origin, view, validator, headers, signature).unwrap();
}

/// Ends the block and checks the state.
pub fn end_block() {
    Execution::on_finalize(System::block_number());
    Execution::do_try_state().unwrap();
}

/// Begins the next block.
pub fn begin_block() {
    let now = System::block_number() + 1;
    System::set_block_number(now);
    Execution::on_initialize(now);
    Execution::do_try_state().unwrap();
}

/// Ends the block, checks the state, begins the next.
pub fn next_block() {
    end_block();
    begin_block();
}

/// The pallet's events.
pub fn events() -> Vec<crate::Event<Test>> {
    System::events()
        .into_iter()
        .filter_map(|record| match record.event {
            RuntimeEvent::Execution(event) => Some(event),
            _ => None,
        })
        .collect()
}

pub fn anchor() -> BlockId {
    crate::Anchor::<Test>::get().id()
}

/// Lets every validator but the last, and so a quorum, report the last of `blocks`, and ends the block.
pub fn quorum_sees(blocks: &[(EthereumHeader, Vec<u8>)]) {
    for validator in 0..3 {
        see_all(validator, blocks);
    }
    next_block();
}

/// `validator` reports `blocks`, as many at a time as a view may bring.
pub fn see_all(validator: u32, blocks: &[(EthereumHeader, Vec<u8>)]) {
    for part in blocks.chunks(crate::MAX_HEADERS as usize) {
        see(validator, part);
        // Of two views in one block the second would be refused.
        System::set_block_number(System::block_number() + 1);
    }
}

/// The state at genesis, in block 1.
pub fn new_test_ext() -> TestExternalities {
    let mut storage = frame_system::GenesisConfig::<Test>::default()
        .build_storage()
        .unwrap();
    crate::GenesisConfig::<Test> {
        ethereum: root(),
        ..Default::default()
    }
    .assimilate_storage(&mut storage)
    .unwrap();
    SetId::set(0);
    Router::set(Some(DOMAIN));
    Pushed::set(Vec::new());
    Agreed::set(Vec::new());
    let members = (0..4).map(|index| Member {
        address: address_of_secret(&secret(index)).unwrap(),
        weight: 1,
    });
    Members::set(members.collect());
    let mut externalities = TestExternalities::new(storage);
    externalities.execute_with(|| {
        System::set_block_number(1);
        Execution::on_initialize(1);
    });
    externalities
}

/// Runs a test on the state at genesis, and checks the state that it leaves.
pub fn run(test: impl FnOnce()) {
    new_test_ext().execute_with(|| {
        test();
        Execution::do_try_state().unwrap();
    });
}
