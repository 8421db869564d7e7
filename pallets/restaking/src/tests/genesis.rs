//! What a chain may begin with.

use crate::{GenesisConfig, OpenEra, mock::*};
use polkadot_sdk::{frame_support::traits::BuildGenesisConfig, sp_io::TestExternalities};

fn build(config: &GenesisConfig<Test>) {
    TestExternalities::default().execute_with(|| {
        config.build();
        Restaking::do_try_state().unwrap();
    });
}

#[test]
fn operators_of_the_genesis_leave_no_deposit() {
    let config = GenesisConfig::<Test> {
        operators: (0..4).map(|account| (account, address(account))).collect(),
        assets: vec![(WETH, weth_rules())],
        ..Default::default()
    };
    TestExternalities::default().execute_with(|| {
        config.build();
        Finalised::set(header(1));
        ActiveEra::set(Some(0));
        PlannedEra::set(Some(0));
        System::set_block_number(1);
        next_block();
        assert_eq!(OpenEra::<Test>::get(), Some(1));
        assert_eq!(crate::Eligible::<Test>::get().len(), 4);
        assert_eq!(crate::Operators::<Test>::get(2).unwrap().deposit, 0);
    });
}

#[test]
#[should_panic(expected = "is named twice")]
fn an_address_is_not_named_twice() {
    build(&GenesisConfig::<Test> {
        operators: vec![(0, address(0)), (1, address(0))],
        ..Default::default()
    });
}

#[test]
#[should_panic(expected = "decimals")]
fn decimals_are_bounded() {
    build(&GenesisConfig::<Test> {
        assets: vec![(
            WETH,
            crate::AssetRules {
                decimals: 37,
                ..weth_rules()
            },
        )],
        ..Default::default()
    });
}

#[test]
#[should_panic(expected = "too many")]
fn operators_are_bounded() {
    build(&GenesisConfig::<Test> {
        operators: (0..65).map(|account| (account, address(account))).collect(),
        ..Default::default()
    });
}

/// Without eras nothing is read, and nothing breaks.
#[test]
fn a_chain_without_eras_stands_still() {
    run(|| {
        ActiveEra::set(None);
        PlannedEra::set(None);
        next_block();
        assert_eq!(OpenEra::<Test>::get(), None);
    });
}
