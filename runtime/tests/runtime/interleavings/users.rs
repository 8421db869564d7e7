//! What ordinary users call, with signed origins: staking, pools, operators, the bridge, rewards, transfers.

use super::common::DOMAIN;
use gear_exe_primitives::{
    H160, H256,
    restaking::OperatorBinding,
    signature::{CompactSignature, address_of_secret},
};
use gear_exe_runtime::{AccountId, EXISTENTIAL_DEPOSIT, Runtime, RuntimeCall, Settlement, UNITS};
use polkadot_sdk::{
    pallet_balances,
    pallet_nomination_pools::{self, BondExtra, PoolMembers, PoolState},
    pallet_session,
    pallet_staking::{self, RewardDestination, ValidatorPrefs},
    sp_keyring::Sr25519Keyring,
    sp_runtime::{MultiAddress, Perbill},
};
use proptest::prelude::*;

/// Accounts: those of the validators and would-be validators first.
pub const ACCOUNTS: [Sr25519Keyring; 9] = [
    Sr25519Keyring::Alice,
    Sr25519Keyring::Bob,
    Sr25519Keyring::Charlie,
    Sr25519Keyring::Dave,
    Sr25519Keyring::Eve,
    Sr25519Keyring::Ferdie,
    Sr25519Keyring::AliceStash,
    Sr25519Keyring::BobStash,
    Sr25519Keyring::CharlieStash,
];
const COUNT: u8 = ACCOUNTS.len() as u8;
/// Who calls, as the member that a call is about.
const SELF: u8 = u8::MAX;

pub fn account(who: u8) -> AccountId {
    ACCOUNTS[usize::from(who % COUNT)].to_account_id()
}

/// Somebody who gets VARA: an account, one without anything, or the bridge itself.
pub fn receiver(who: u8) -> AccountId {
    match who {
        0..COUNT => account(who),
        COUNT => AccountId::new([0x77; 32]),
        _ => gear_exe_runtime::Bridge::account(),
    }
}

fn target(who: u8) -> MultiAddress<AccountId, ()> {
    MultiAddress::Id(account(who))
}

fn secret(who: u8) -> [u8; 32] {
    [40 + who % COUNT; 32]
}

/// The Ethereum address that an account can be bound to.
pub fn operator(who: u8) -> H160 {
    address_of_secret(&secret(who)).unwrap()
}

/// One of two vaults of an operator.
pub fn vault(who: u8, second: bool) -> H160 {
    H160::repeat_byte(0xa0 + 2 * (who % COUNT) + u8::from(second))
}

/// What is wrong with an operator's signature.
#[derive(Clone, Copy, Debug)]
pub enum Flaw {
    None,
    Nonce,
    Account,
    Key,
    Genesis,
}

/// A call.
#[derive(Clone, Copy, Debug)]
pub enum Call {
    Bond(u128, bool),
    BondExtra(u128),
    Nominate(u8),
    Validate(u8),
    Chill,
    Unbond(u128),
    Rebond(u128),
    Withdraw,
    Payout(u8, u8),
    PoolCreate(u128),
    PoolJoin(u128, u8),
    PoolMore(u128, bool),
    PoolUnbond(u8, u128),
    PoolWithdraw(u8),
    PoolClaim,
    PoolNominate(u8, u8),
    PoolSlash(u8),
    PoolCommission(u8, u8, u8),
    PoolDestroy(u8),
    PoolShare(u8),
    Transfer(u8, u128, bool),
    Register(u8, Flaw),
    Deregister,
    WithdrawOperator,
    Lock(u8, u128),
    ClaimVara(u8),
    PayStakers(u8, u8, u8),
    ClaimReward(u8),
    PurgeKeys,
}

/// Mostly amounts that somebody may have, sometimes none, dust, or more than there is.
pub fn amount() -> impl Strategy<Value = u128> {
    prop_oneof![
        10 => (1..300_000u128).prop_map(|vara| vara * UNITS),
        3 => 0..20 * UNITS,
        1 => prop_oneof![
            Just(0),
            Just(1),
            Just(EXISTENTIAL_DEPOSIT - 1),
            Just(EXISTENTIAL_DEPOSIT),
            Just(u128::MAX),
        ],
    ]
}

fn flaw() -> impl Strategy<Value = Flaw> {
    prop_oneof![
        4 => Just(Flaw::None),
        1 => prop_oneof![Just(Flaw::Nonce), Just(Flaw::Account), Just(Flaw::Key), Just(Flaw::Genesis)],
    ]
}

/// Who calls what. Those who validate from the start leave seldom: else there would soon be one validator.
pub fn call() -> impl Strategy<Value = (u8, Call)> {
    let who = 0..COUNT;
    let staking = prop_oneof![
        3 => (amount(), any::<bool>()).prop_map(|(much, stake)| Call::Bond(much, stake)),
        2 => amount().prop_map(Call::BondExtra),
        3 => any::<u8>().prop_map(Call::Validate),
        1 => amount().prop_map(Call::Rebond),
        2 => Just(Call::Withdraw),
        4 => (0..6u8, 0..4u8).prop_map(|(who, back)| Call::Payout(who, back)),
    ];
    // Others may seldom do it.
    let member = prop_oneof![1 => who.clone(), 2 => Just(SELF)];
    let pools = prop_oneof![
        2 => amount().prop_map(Call::PoolCreate),
        4 => (amount(), 1..3u8).prop_map(|(much, pool)| Call::PoolJoin(much, pool)),
        1 => (amount(), any::<bool>()).prop_map(|(much, free)| Call::PoolMore(much, free)),
        3 => (member.clone(), amount()).prop_map(|(who, much)| Call::PoolUnbond(who, much)),
        2 => member.prop_map(Call::PoolWithdraw),
        2 => Just(Call::PoolClaim),
        2 => (1..3u8, any::<u8>()).prop_map(|(pool, whom)| Call::PoolNominate(pool, whom)),
        1 => who.clone().prop_map(Call::PoolSlash),
        1 => (1..3u8, 0..=100u8, any::<u8>())
            .prop_map(|(pool, percent, to)| Call::PoolCommission(pool, percent, to)),
        1 => (2..5u8).prop_map(Call::PoolDestroy),
        2 => who.clone().prop_map(Call::PoolShare),
    ];
    let others = prop_oneof![
        2 => (0..COUNT + 2, amount(), any::<bool>())
            .prop_map(|(to, much, alive)| Call::Transfer(to, much, alive)),
        4 => (who, flaw()).prop_map(|(who, flaw)| Call::Register(who, flaw)),
        1 => Just(Call::Deregister),
        1 => Just(Call::WithdrawOperator),
        4 => (any::<u8>(), amount()).prop_map(|(to, much)| Call::Lock(to, much)),
        2 => (0..COUNT + 2).prop_map(Call::ClaimVara),
        4 => (0..6u8, 0..4u8, 0..2u8).prop_map(|(who, back, page)| Call::PayStakers(who, back, page)),
        3 => (0..4u8).prop_map(Call::ClaimReward),
    ];
    let leaving = prop_oneof![
        4 => any::<u8>().prop_map(Call::Nominate),
        1 => Just(Call::Chill),
        3 => amount().prop_map(Call::Unbond),
        1 => Just(Call::PurgeKeys),
    ];
    let outsider = prop_oneof![1 => 0..COUNT, 12 => 4..COUNT];
    prop_oneof![
        3 => (0..COUNT, prop_oneof![staking, pools, others]),
        1 => (outsider, leaving),
    ]
}

fn era_before(back: u8) -> u32 {
    gear_exe_runtime::eras::active()
        .unwrap_or_default()
        .saturating_sub(back.into())
}

fn some_of_six(mask: u8) -> impl Iterator<Item = u8> {
    (0..6).filter(move |who| mask >> who & 1 == 1)
}

fn binding(who: u8, of: u8, flaw: Flaw) -> CompactSignature {
    let nonce = pallet_restaking::Nonces::<Runtime>::get(operator(of));
    let honest = OperatorBinding {
        genesis: Settlement::genesis_hash(),
        account: H256(account(who).into()),
        operator: operator(of),
        nonce,
    };
    let (said, key) = match flaw {
        Flaw::None => (honest, of),
        Flaw::Nonce => {
            let nonce = nonce.wrapping_sub(1);
            (OperatorBinding { nonce, ..honest }, of)
        }
        Flaw::Account => {
            let account = H256(account(who + 1).into());
            (OperatorBinding { account, ..honest }, of)
        }
        Flaw::Key => (honest, of + 1),
        Flaw::Genesis => {
            let genesis = H256::zero();
            (OperatorBinding { genesis, ..honest }, of)
        }
    };
    CompactSignature::sign(&secret(key), said.digest(&DOMAIN)).unwrap()
}

impl Call {
    /// Whether it can only be refused.
    pub fn is_false(&self) -> bool {
        matches!(self, Self::Register(_, flaw) if !matches!(flaw, Flaw::None))
    }

    /// The call as `who` makes it.
    pub fn of(self, who: u8) -> RuntimeCall {
        use pallet_nomination_pools::Call as Pools;
        use pallet_staking::Call as Staking;
        match self {
            Self::Bond(value, staked) => {
                let payee = if staked {
                    RewardDestination::Staked
                } else {
                    RewardDestination::Stash
                };
                Staking::bond { value, payee }.into()
            }
            Self::BondExtra(max_additional) => Staking::bond_extra { max_additional }.into(),
            Self::Nominate(mask) => {
                let targets = some_of_six(mask).map(target).collect();
                Staking::nominate { targets }.into()
            }
            Self::Validate(percent) => {
                let prefs = ValidatorPrefs {
                    commission: Perbill::from_percent((percent % 101).into()),
                    blocked: false,
                };
                Staking::validate { prefs }.into()
            }
            Self::Chill => Staking::chill {}.into(),
            Self::Unbond(value) => Staking::unbond { value }.into(),
            Self::Rebond(value) => Staking::rebond { value }.into(),
            Self::Withdraw => Staking::withdraw_unbonded {
                num_slashing_spans: 64,
            }
            .into(),
            Self::Payout(of, back) => Staking::payout_stakers_by_page {
                validator_stash: account(of),
                era: era_before(back),
                page: 0,
            }
            .into(),
            Self::PoolCreate(amount) => Pools::create {
                amount,
                root: target(who),
                nominator: target(who),
                bouncer: target(who),
            }
            .into(),
            Self::PoolJoin(amount, pool) => Pools::join {
                amount,
                pool_id: pool.into(),
            }
            .into(),
            Self::PoolMore(amount, free) => {
                let extra = if free {
                    BondExtra::FreeBalance(amount)
                } else {
                    BondExtra::Rewards
                };
                Pools::bond_extra { extra }.into()
            }
            Self::PoolUnbond(member, much) => {
                let member = if member == SELF { who } else { member };
                let points = PoolMembers::<Runtime>::get(account(member)).map(|one| one.points);
                Pools::unbond {
                    member_account: target(member),
                    // All, if that is less; but also more than there can be.
                    unbonding_points: match points {
                        Some(points) if much < u128::MAX => much.min(points),
                        _ => much,
                    },
                }
                .into()
            }
            Self::PoolWithdraw(member) => Pools::withdraw_unbonded {
                member_account: target(if member == SELF { who } else { member }),
                num_slashing_spans: 64,
            }
            .into(),
            Self::PoolClaim => Pools::claim_payout {}.into(),
            Self::PoolNominate(pool, mask) => Pools::nominate {
                pool_id: pool.into(),
                validators: some_of_six(mask).map(account).collect(),
            }
            .into(),
            Self::PoolSlash(member) => Pools::apply_slash {
                member_account: target(member),
            }
            .into(),
            Self::PoolCommission(pool, percent, to) => Pools::set_commission {
                pool_id: pool.into(),
                new_commission: Some((Perbill::from_percent(percent.into()), receiver(to))),
            }
            .into(),
            Self::PoolDestroy(pool) => Pools::set_state {
                pool_id: pool.into(),
                state: PoolState::Destroying,
            }
            .into(),
            Self::Transfer(to, value, alive) => {
                let dest = MultiAddress::Id(receiver(to));
                if alive {
                    pallet_balances::Call::transfer_keep_alive { dest, value }.into()
                } else {
                    pallet_balances::Call::transfer_allow_death { dest, value }.into()
                }
            }
            other => other.of_ours(who),
        }
    }

    fn of_ours(self, who: u8) -> RuntimeCall {
        match self {
            Self::Register(of, flaw) => pallet_restaking::Call::register_operator {
                address: operator(of),
                signature: binding(who, of, flaw),
            }
            .into(),
            Self::Deregister => pallet_restaking::Call::deregister_operator {}.into(),
            Self::WithdrawOperator => pallet_restaking::Call::withdraw_operator {}.into(),
            Self::Lock(to, amount) => pallet_bridge::Call::lock {
                to: H160::repeat_byte(to),
                amount,
            }
            .into(),
            Self::ClaimVara(of) => pallet_bridge::Call::claim {
                account: receiver(of),
            }
            .into(),
            Self::PayStakers(of, back, page) => pallet_rewards::Call::pay_stakers {
                validator: account(of),
                era: era_before(back),
                page: page.into(),
            }
            .into(),
            Self::PoolShare(of) => pallet_rewards::Call::claim_pool_share {
                member: account(of),
            }
            .into(),
            Self::ClaimReward(to) => pallet_rewards::Call::claim {
                to: H160::repeat_byte(to),
            }
            .into(),
            Self::PurgeKeys => pallet_session::Call::<Runtime>::purge_keys {}.into(),
            other => panic!("{other:?} is no call of ours"),
        }
    }
}
