//! What governance may change.

use crate::{Error, Parameters, ViewParameters, ViewRules, mock::*};
use gear_exe_primitives::round::ExecutionParameters;
use polkadot_sdk::{
    frame_support::{assert_noop, assert_ok},
    frame_system::RawOrigin,
    sp_runtime::DispatchError,
};

#[test]
fn governance_alone_changes_parameters() {
    run(|| {
        let parameters = ExecutionParameters {
            value_per_gas: 7,
            ..Default::default()
        };
        assert_noop!(
            Execution::set_parameters(RawOrigin::Signed(1).into(), parameters),
            DispatchError::BadOrigin
        );
        assert_ok!(Execution::set_parameters(
            RawOrigin::Root.into(),
            parameters
        ));
        assert_eq!(Parameters::<Test>::get(), parameters);
        assert_eq!(Execution::round_facts(false).parameters, parameters);
        for zero in [
            ExecutionParameters {
                round_gas_limit: 0,
                ..parameters
            },
            ExecutionParameters {
                message_gas_limit: 0,
                ..parameters
            },
            ExecutionParameters {
                max_memory_pages: 0,
                ..parameters
            },
        ] {
            assert_noop!(
                Execution::set_parameters(RawOrigin::Root.into(), zero),
                Error::<Test>::ZeroParameter
            );
        }
    });
}

#[test]
fn governance_alone_changes_the_rules_for_views() {
    run(|| {
        let rules = ViewParameters {
            depth: 2,
            ..Default::default()
        };
        assert_noop!(
            Execution::set_view_parameters(RawOrigin::Signed(1).into(), rules),
            DispatchError::BadOrigin
        );
        assert_ok!(Execution::set_view_parameters(
            RawOrigin::Root.into(),
            rules
        ));
        assert_eq!(ViewRules::<Test>::get(), rules);
        let never = ViewParameters {
            max_age: 0,
            ..rules
        };
        assert_noop!(
            Execution::set_view_parameters(RawOrigin::Root.into(), never),
            Error::<Test>::ZeroParameter
        );
    });
}
