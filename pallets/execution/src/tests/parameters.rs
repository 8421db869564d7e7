//! Prices, limits and rules that change when an era begins.

use crate::{Error, Parameters, ViewParameters, ViewRules, mock::*};
use gear_exe_primitives::round::ExecutionParameters;
use polkadot_sdk::frame_support::{assert_noop, assert_ok};

#[test]
fn parameters_count_from_this_blocks_round_on() {
    run(|| {
        let parameters = ExecutionParameters {
            value_per_gas: 7,
            ..Default::default()
        };
        assert_ok!(Execution::apply_parameters(parameters));
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
                Execution::apply_parameters(zero),
                Error::<Test>::ZeroParameter
            );
        }
    });
}

#[test]
fn rules_under_which_no_view_is_kept_are_refused() {
    run(|| {
        let rules = ViewParameters {
            depth: 2,
            ..Default::default()
        };
        assert_ok!(Execution::apply_view_parameters(rules));
        assert_eq!(ViewRules::<Test>::get(), rules);
        for never in [
            ViewParameters {
                max_age: 0,
                ..rules
            },
            ViewParameters {
                max_ahead: 0,
                ..rules
            },
        ] {
            assert_noop!(
                Execution::apply_view_parameters(never),
                Error::<Test>::ZeroParameter
            );
        }
    });
}
