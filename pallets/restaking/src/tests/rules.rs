//! What governance decides.

use crate::{AssetRules, Assets, Error, Event, Parameters, RestakingParameters, mock::*};
use gear_exe_primitives::H160;
use polkadot_sdk::{
    frame_support::{assert_noop, assert_ok},
    frame_system::RawOrigin,
    sp_runtime::{DispatchError, Perbill},
};

#[test]
fn governance_sets_tokens() {
    run(|| {
        let rules = Some(AssetRules {
            decimals: 6,
            ..weth_rules()
        });
        let root = || RawOrigin::Root.into();
        assert_ok!(Restaking::set_asset(root(), COIN, rules));
        assert_eq!(
            events().last(),
            Some(&Event::AssetSet { token: COIN, rules })
        );
        assert_ok!(Restaking::set_asset(root(), COIN, None));
        assert_eq!(Assets::<Test>::get(COIN), None);
        let too_many = Some(AssetRules {
            decimals: 37,
            ..weth_rules()
        });
        assert_noop!(
            Restaking::set_asset(root(), COIN, too_many),
            Error::<Test>::TooManyDecimals
        );
        for token in 0..3 {
            assert_ok!(Restaking::set_asset(
                root(),
                H160::repeat_byte(token),
                rules
            ));
        }
        assert_noop!(
            Restaking::set_asset(root(), COIN, rules),
            Error::<Test>::TooManyAssets
        );
        // Those that there are can be changed.
        assert_ok!(Restaking::set_asset(root(), WETH, rules));
    });
}

#[test]
fn parameters_must_be_in_range() {
    run(|| {
        let parameters = RestakingParameters {
            max_growth: Perbill::one(),
            growth_step: 1,
            reuse_haircut: Perbill::one(),
        };
        assert_ok!(Restaking::apply_parameters(parameters));
        assert_eq!(Parameters::<Test>::get(), parameters);
        assert_eq!(
            events().last(),
            Some(&Event::ParametersChanged { parameters })
        );
        let none = RestakingParameters {
            growth_step: 0,
            ..parameters
        };
        assert_noop!(Restaking::apply_parameters(none), Error::<Test>::OutOfRange);
    });
}

#[test]
fn nobody_else_does() {
    run(|| {
        for origin in [RawOrigin::Signed(1), RawOrigin::None, RawOrigin::Authorized] {
            assert_noop!(
                Restaking::set_asset(origin.into(), WETH, None),
                DispatchError::BadOrigin
            );
        }
    });
}
