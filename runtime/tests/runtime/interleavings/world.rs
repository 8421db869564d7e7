//! The chain with its users and validators, beside Ethereum: what happens in a step.

use super::{
    common::{Chain, start_with},
    ethereum::{Carried, Ethereum, State, WINDOW},
    faults::{self, Way},
    users::{self, Call, Flaw, account},
    validators::{self, Batches, Lie, NAMES, Node, submit},
    watch::Watch,
};
use gear_exe_primitives::{H160, H256, facts::Burn};
use gear_exe_runtime::{
    Execution, Restaking, Runtime, RuntimeCall, RuntimeOrigin, Session, SessionKeys, Settlement,
    UNITS, governance::origins::Origin, parameters::in_force,
};
use pallet_restaking::AssetRules;
use pallet_slashing::{Evidence, EvidenceOf, Slashes, SlashingParameters};
use polkadot_sdk::{
    frame_support::assert_ok,
    pallet_session, pallet_staking,
    sp_core::Encode,
    sp_io,
    sp_keystore::{KeystoreExt, testing::MemoryKeystore},
    sp_runtime::{DispatchError, Perbill, StateVersion, traits::Dispatchable},
};
use serde_json::json;

/// One ETH in wei.
pub const ETH: u128 = 1_000_000_000_000_000_000;
/// Where the chain's time begins, in seconds: that of the first anchor.
const GENESIS: u64 = 1_700_000_000;
/// Two tokens: one with 18 decimals, one with 6 of which little counts.
const TOKENS: [H160; 2] = [H160::repeat_byte(0xee), H160::repeat_byte(0xef)];

/// Who acts for governance, or pretends to.
#[derive(Clone, Copy, Debug)]
pub enum Power {
    Root,
    Canceller,
    Staking,
    /// A power that is not for that.
    Wrong,
    Nobody,
}

impl Power {
    fn origin(self) -> RuntimeOrigin {
        match self {
            Self::Root => RuntimeOrigin::root(),
            Self::Canceller => Origin::SlashCanceller.into(),
            Self::Staking => Origin::StakingAdmin.into(),
            Self::Wrong => Origin::ParameterAdmin.into(),
            Self::Nobody => RuntimeOrigin::signed(account(0)),
        }
    }
}

/// What happens.
#[derive(Clone, Copy, Debug)]
pub enum Action {
    /// Some blocks pass.
    Blocks(u8),
    /// Nobody makes blocks for so many slots.
    Wait(u8),
    /// Somebody calls something.
    User(u8, Call),
    /// A validator's node sleeps, wakes, falls behind.
    Node(u8, bool, u8),
    /// How deep a block must be to be final; nothing: Ethereum does not finalise.
    Finality(Option<u8>),
    /// Ethereum leaves its newest blocks.
    Reorganise(u8),
    /// Relayers work, or do not.
    Relay(bool),
    /// Somebody executes slashes; vaults take them.
    Vaults(bool, bool),
    /// Programs pay.
    Pay(u128),
    /// A vault holds so much of one of the tokens.
    Stake(u8, bool, u128),
    /// A part of all wVARA is burned for somebody.
    Burn(u8, u8),
    Lie(Lie),
    DoubleSign(u8, u8, u8, Way),
    Against(u8, u8, u8),
    False(u8, u8, u8),
    /// Old evidence once more.
    Again(u8),
    Cancel(u8, Power),
    Approve(u8, Power),
    /// An account gets session keys.
    Keys(u8),
}

/// Everything.
pub struct World {
    pub chain: Option<Chain>,
    pub ethereum: Ethereum,
    pub watch: Watch,
    batches: Batches,
    nodes: [Node; 6],
    relay: bool,
    /// Since when Ethereum has no new block.
    since: u32,
    /// What programs have paid since the last block.
    pays: u128,
    /// Evidence that was taken, and the block from which on it must be known.
    evidence: Vec<(EvidenceOf<Runtime>, u32)>,
    keys: Vec<(Vec<u8>, SessionKeys)>,
}

/// A network of four whose eras take ten blocks, five seconds.
pub fn start() -> sp_io::TestExternalities {
    let mut externalities = start_with(
        "local",
        json!({
            "pace": { "durations": {
                "session": 5, "sessions_per_era": 2, "bonding": 9, "slash_deferral": 5, "day": 240
            } },
            "settlement": { "parameters": {
                "expiry_seconds": 20, "patience": 6, "handover_patience": 30, "renewal": 120, "least_seals": 2
            } },
        }),
    );
    externalities.register_extension(KeystoreExt::new(MemoryKeystore::new()));
    externalities
}

fn seconds() -> u64 {
    polkadot_sdk::pallet_timestamp::Now::<Runtime>::get() / 1_000
}

fn root() -> Vec<u8> {
    sp_io::storage::root(StateVersion::V1)
}

/// What a call does if it is taken; if it is refused, nothing at all has changed.
pub fn dispatch(call: impl Into<RuntimeCall>, origin: RuntimeOrigin) -> Result<(), DispatchError> {
    let call = call.into();
    let before = root();
    let result = call.dispatch(origin);
    if result.is_err() {
        assert_eq!(root(), before, "what is refused changes nothing");
    }
    result.map(|_| ()).map_err(|refused| refused.error)
}

impl World {
    pub fn new() -> Self {
        let mut chain = Chain::new();
        chain.slot = GENESIS * 2;
        chain.open();
        in_force::Slashing::<Runtime>::put(SlashingParameters {
            double_sign_floor: Perbill::from_percent(5),
            absence_maximum: Perbill::from_percent(1),
            maximum_per_era: Perbill::from_percent(80),
            deferral: 8,
            window: WINDOW,
            relay: 5,
            execution: 8,
            reporting: 5,
        });
        for (token, decimals, haircut, cap) in
            [(TOKENS[0], 18, 10, 100_000), (TOKENS[1], 6, 50, 3_000)]
        {
            let rules = AssetRules {
                decimals,
                haircut: Perbill::from_percent(haircut),
                cap: cap * ETH,
            };
            assert_ok!(Restaking::set_asset(
                RuntimeOrigin::root(),
                token,
                Some(rules)
            ));
        }
        let keys = (0..6u8)
            .map(|who| {
                let seed = format!("//{}", NAMES[usize::from(who)]).into_bytes();
                let generated = SessionKeys::generate(&account(who).encode(), Some(seed));
                (generated.proof.encode(), generated.keys)
            })
            .collect();
        let members = Settlement::validator_set().members;
        let mut world = Self {
            chain: Some(chain),
            ethereum: Ethereum::new(State {
                members,
                supply: pallet_bridge::Locked::<Runtime>::get(),
                ..Default::default()
            }),
            watch: Watch::new(),
            batches: Batches::default(),
            nodes: [Node {
                awake: true,
                lag: 0,
            }; 6],
            relay: true,
            since: 0,
            pays: 0,
            evidence: Vec::new(),
            keys,
        };
        world.close();
        world.settle_in();
        world
    }

    /// Three validators have collateral; there are a nominator and a pool.
    fn settle_in(&mut self) {
        for who in [0, 1, 3] {
            self.act(Action::Stake(who, false, 3_000 * ETH));
            self.act(Action::User(who, Call::Register(who, Flaw::None)));
        }
        self.act(Action::Stake(1, true, 500_000_000));
        self.act(Action::User(6, Call::PoolCreate(1_000 * UNITS)));
        self.act(Action::User(6, Call::PoolNominate(1, 0b1111)));
        self.act(Action::User(7, Call::PoolJoin(20_000 * UNITS, 1)));
        self.act(Action::User(8, Call::Bond(50_000 * UNITS, true)));
        self.act(Action::User(8, Call::Nominate(0b0011)));
    }

    fn chain(&mut self) -> &mut Chain {
        self.chain.as_mut().unwrap()
    }

    /// Ethereum goes on: a block every second block of the chain, and what relayers bring.
    fn tick(&mut self) {
        self.since += 1;
        if self.since < 2 {
            return;
        }
        self.since = 0;
        let now = seconds().max(self.ethereum.head().header.timestamp);
        if self.relay {
            for ready in Settlement::ready_batches() {
                let header = ready.header;
                let carried = Carried {
                    batch: self.batches.built(header.seal_number).unwrap().clone(),
                    members: Settlement::validator_set_at(header.set_id).unwrap().members,
                    ready,
                };
                assert_eq!(carried.batch.header, header, "no lie has a quorum");
                if self.ethereum.carry(&carried, now) {
                    break;
                }
            }
        }
        self.ethereum.mine(now);
    }

    /// A block with all that validators have to say, in which `act` happens.
    fn block<R>(&mut self, act: impl FnOnce(&mut Self) -> R) -> R {
        self.tick();
        let mut votes = Vec::new();
        for (who, node) in self.nodes.into_iter().enumerate() {
            votes.extend(validators::votes(
                who,
                node,
                &self.ethereum,
                &mut self.batches,
            ));
        }
        self.chain().open();
        for vote in votes {
            submit(vote);
        }
        let result = act(self);
        self.close();
        result
    }

    fn close(&mut self) {
        self.chain().close();
        let (number, hash) = (self.chain().number, self.chain().parent);
        let spent = std::mem::take(&mut self.pays);
        self.batches.note(number.into(), hash, spent);
        self.watch.look(&self.ethereum);
    }

    /// One step.
    pub fn act(&mut self, action: Action) {
        match action {
            Action::Blocks(count) => (0..count).for_each(|_| self.block(|_| ())),
            Action::Wait(slots) => self.chain().slot += u64::from(slots),
            // Somebody stays.
            Action::User(_, Call::PurgeKeys) if with_keys() < 2 => self.block(|_| ()),
            Action::User(who, call) => self.block(|_| {
                let origin = RuntimeOrigin::signed(account(who));
                let result = dispatch(call.of(who), origin);
                assert!(result.is_err() || !call.is_false(), "{call:?}");
            }),
            Action::Node(who, awake, lag) => {
                let lag = lag.into();
                self.nodes[usize::from(who) % 6] = Node { awake, lag };
            }
            Action::Finality(depth) => self.ethereum.depth = depth.map(usize::from),
            Action::Reorganise(deep) => {
                let now = seconds();
                self.ethereum.reorganise(deep.into(), now);
            }
            Action::Relay(works) => self.relay = works,
            Action::Vaults(somebody, willing) => {
                self.ethereum.somebody = somebody;
                self.ethereum.willing = willing;
            }
            Action::Pay(amount) => self.pays += amount,
            Action::Stake(who, second, amount) => {
                let token = TOKENS[usize::from(second)];
                let key = (users::operator(who), users::vault(who, second));
                self.ethereum.pending().vaults.insert(key, (token, amount));
            }
            Action::Burn(to, share) => self.burn(to, share),
            Action::Lie(lie) => {
                let vote = validators::lie(lie, &self.ethereum, &mut self.batches);
                self.block(|_| {
                    let taken = vote.is_some_and(submit);
                    assert!(!taken || !matches!(lie, Lie::Forged));
                });
            }
            Action::Keys(who) => {
                let who = who % 6;
                let (proof, keys) = self.keys[usize::from(who)].clone();
                self.block(|_| {
                    let call = pallet_session::Call::<Runtime>::set_keys { keys, proof };
                    let _ = dispatch(call, RuntimeOrigin::signed(account(who)));
                });
            }
            other => self.fault(other),
        }
    }

    fn fault(&mut self, action: Action) {
        match action {
            Action::DoubleSign(who, back, content, way) => {
                self.double_sign(usize::from(who) % 6, back, content, way);
            }
            Action::Against(who, back, content) => {
                let who = usize::from(who) % 6;
                let evidence = faults::against(who, back, content, &mut self.batches);
                self.block(|world| world.report(evidence, Way::Reported));
            }
            Action::False(kind, who, back) => {
                let who = usize::from(who) % 6;
                let evidence = faults::nothing(kind, who, back, &mut self.batches);
                self.block(|_| {
                    if let Some(evidence) = evidence {
                        let evidence = Box::new(evidence);
                        let call = pallet_slashing::Call::report_unsigned {
                            evidence: evidence.clone(),
                        };
                        assert!(!submit(call.into()), "{evidence:?}");
                        let call = pallet_slashing::Call::<Runtime>::report { evidence };
                        let origin = RuntimeOrigin::signed(account(6));
                        assert!(dispatch(call, origin).is_err());
                    }
                });
            }
            Action::Again(which) => {
                let now = self.chain().number + 1;
                let old: Vec<_> = self.evidence.iter().filter(|(_, at)| *at <= now).collect();
                let evidence =
                    (!old.is_empty()).then(|| old[usize::from(which) % old.len()].0.clone());
                self.block(|_| {
                    if let Some(evidence) = evidence {
                        let evidence = Box::new(evidence);
                        let call = pallet_slashing::Call::<Runtime>::report { evidence };
                        let origin = RuntimeOrigin::signed(account(7));
                        assert!(dispatch(call, origin).is_err(), "no evidence slashes twice");
                    }
                });
            }
            Action::Cancel(which, power) => self.block(|world| world.cancel(which, power)),
            Action::Approve(which, power) => self.block(|_| {
                let id = some_slash(which);
                let call = pallet_slashing::Call::<Runtime>::approve { id };
                let done = dispatch(call, power.origin());
                let may = matches!(power, Power::Root | Power::Staking);
                assert!(may || done == Err(DispatchError::BadOrigin));
            }),
            other => panic!("{other:?}"),
        }
    }

    fn burn(&mut self, to: u8, share: u8) {
        let state = self.ethereum.pending();
        let amount = state.supply / 255 * u128::from(share) / 16 + u128::from(share % 3);
        if amount > 0 && amount <= state.supply {
            state.supply -= amount;
            state.burns.push(Burn {
                number: state.burns.len() as u64,
                account: H256(users::receiver(to).into()),
                amount,
            });
        }
    }

    fn double_sign(&mut self, who: usize, back: u8, content: u8, way: Way) {
        let Some((evidence, calls)) = faults::double_sign(who, back, content, &mut self.batches)
        else {
            return self.block(|_| ());
        };
        let evidence = Evidence::DoubleSign(evidence);
        if !matches!(way, Way::Seen) {
            return self.block(|world| world.report(Some(evidence), way));
        }
        self.block(|world| {
            let both = calls.map(|call| call.is_some_and(submit));
            if both[1] {
                // The report comes at the beginning of the next block.
                let known = world.chain().number + 2;
                world.evidence.push((evidence, known));
            }
        });
    }

    fn report(&mut self, evidence: Option<EvidenceOf<Runtime>>, way: Way) {
        let Some(evidence) = evidence else {
            return;
        };
        let boxed = Box::new(evidence.clone());
        let taken = match way {
            Way::Unsigned => {
                submit(pallet_slashing::Call::report_unsigned { evidence: boxed }.into())
            }
            _ => {
                let call = pallet_slashing::Call::<Runtime>::report { evidence: boxed };
                dispatch(call, RuntimeOrigin::signed(account(6))).is_ok()
            }
        };
        if taken {
            let known = self.chain().number;
            self.evidence.push((evidence, known));
        }
    }

    fn cancel(&mut self, which: u8, power: Power) {
        let id = some_slash(which);
        let before = Slashes::<Runtime>::get(id);
        let call = pallet_slashing::Call::<Runtime>::cancel { id };
        let done = dispatch(call, power.origin());
        match power {
            Power::Wrong | Power::Nobody => assert_eq!(done, Err(DispatchError::BadOrigin)),
            _ if done.is_ok() => self.watch.cancelled(id, &before.unwrap()),
            // What waits can always be cancelled.
            _ => assert!(before.is_none_or(|slash| !slash.state.is_waiting())),
        }
    }

    /// Everything works again, and the first validators want to be validators.
    pub fn heal(&mut self) {
        self.nodes = [Node {
            awake: true,
            lag: 0,
        }; 6];
        self.relay = true;
        self.ethereum.depth = Some(1);
        (self.ethereum.somebody, self.ethereum.willing) = (true, true);
        for who in 0..4 {
            self.act(Action::Keys(who));
            for call in [
                Call::Bond(20_000 * UNITS, true),
                Call::BondExtra(10_000 * UNITS),
                Call::Validate(5),
            ] {
                self.act(Action::User(who, call));
            }
        }
    }

    /// Then the network heals by itself.
    pub fn finish(&mut self) {
        let era = gear_exe_runtime::eras::active().unwrap();
        let end = pallet_settlement::OutboxEnd::<Runtime>::get();
        let burns = self.ethereum.head().state.burns.len() as u64;
        for _ in 0..100 {
            self.block(|_| ());
        }
        assert!(
            gear_exe_runtime::eras::active().unwrap() > era + 2,
            "eras go on: {} of {} candidates, sets {:?}, handing over: {}",
            era,
            pallet_staking::Validators::<Runtime>::count(),
            pallet_settlement::Sets::<Runtime>::iter().collect::<Vec<_>>(),
            Settlement::is_handing_over()
        );
        assert!(
            pallet_settlement::Settled::<Runtime>::get().outbox_end >= end,
            "what there was to say is said"
        );
        assert!(
            pallet_bridge::NextBurn::<Runtime>::get() >= burns,
            "each burn is known"
        );
        let anchor = pallet_execution::Anchor::<Runtime>::get().number;
        assert!(
            anchor + 2 >= self.ethereum.head().header.number,
            "Ethereum is followed"
        );
        assert!(!Session::validators().is_empty());
        Execution::do_try_state().unwrap();
        // What is dropped checks every pallet.
        let _ = self.chain.take();
    }
}

/// How many of the validators at work have their keys still.
fn with_keys() -> usize {
    let validators = Session::validators();
    let keys = validators
        .iter()
        .filter(|who| pallet_session::NextKeys::<Runtime>::contains_key(who));
    keys.count()
}

fn some_slash(which: u8) -> u64 {
    let next = pallet_slashing::NextId::<Runtime>::get();
    // Also one that there is not.
    next.saturating_sub(u64::from(which) % (next + 1))
}
