//! Powers that a referendum can have without being root: one origin each, which a track of the same name gives.

#[polkadot_sdk::frame_support::pallet]
pub mod pallet {
    use crate::{Balance, Runtime, parameters};
    use polkadot_sdk::frame_support::pallet_prelude::*;

    #[pallet::config]
    pub trait Config: polkadot_sdk::frame_system::Config {}

    #[pallet::pallet]
    pub struct Pallet<T>(_);

    /// What a referendum may act as.
    #[derive(
        Clone, Debug, PartialEq, Eq, Encode, Decode, DecodeWithMemTracking, MaxEncodedLen, TypeInfo,
    )]
    #[pallet::origin]
    pub enum Origin {
        /// Runs calls that the technical committee has whitelisted, as root.
        WhitelistedCaller,
        /// Staking's limits, commissions, validator counts; cancels slashes of VARA.
        StakingAdmin,
        /// Every dynamic parameter of the network, but those that say how governance decides.
        ParameterAdmin,
        /// Cancels deferred slashes, of both assets.
        SlashCanceller,
        /// Stops batches to Ethereum, and lets them go on.
        SettlementPauser,
        /// Spends from the treasury without a limit.
        Treasurer,
        /// Spends up to the parameter `BigSpend` at a time: 1,000,000 VARA at first.
        BigSpender,
        /// Spends up to the parameter `SmallSpend` at a time: 10,000 VARA at first.
        SmallSpender,
        /// Cancels a referendum.
        ReferendumCanceller,
        /// Kills a referendum; its deposits are slashed.
        ReferendumKiller,
    }

    macro_rules! ensure_origin {
        ($($(#[$doc:meta])* $name:ident: $success:ty = $value:expr;)*) => {$(
            $(#[$doc])*
            pub struct $name;

            impl<O: OriginTrait + From<Origin>> EnsureOrigin<O> for $name
            where
                for<'a> &'a O::PalletsOrigin: TryInto<&'a Origin>,
            {
                type Success = $success;

                fn try_origin(origin: O) -> Result<Self::Success, O> {
                    let has = matches!(origin.caller().try_into(), Ok(Origin::$name));
                    if has { Ok($value) } else { Err(origin) }
                }

                #[cfg(feature = "runtime-benchmarks")]
                fn try_successful_origin() -> Result<O, ()> {
                    Ok(O::from(Origin::$name))
                }
            }
        )*};
    }

    use polkadot_sdk::frame_support::traits::OriginTrait;

    ensure_origin! {
        /// [`Origin::WhitelistedCaller`].
        WhitelistedCaller: () = ();
        /// [`Origin::StakingAdmin`].
        StakingAdmin: () = ();
        /// [`Origin::ParameterAdmin`].
        ParameterAdmin: () = ();
        /// [`Origin::SlashCanceller`].
        SlashCanceller: () = ();
        /// [`Origin::SettlementPauser`].
        SettlementPauser: () = ();
        /// [`Origin::ReferendumCanceller`].
        ReferendumCanceller: () = ();
        /// [`Origin::ReferendumKiller`].
        ReferendumKiller: () = ();
        /// [`Origin::Treasurer`], with the most that it may spend.
        Treasurer: Balance = Balance::MAX;
        /// [`Origin::BigSpender`], with the most that it may spend.
        BigSpender: Balance = parameters::in_force::Governance::<Runtime>::get().big_spend;
        /// [`Origin::SmallSpender`], with the most that it may spend.
        SmallSpender: Balance = parameters::in_force::Governance::<Runtime>::get().small_spend;
    }
}

pub use pallet::*;
