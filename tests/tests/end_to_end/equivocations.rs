//! A validator that runs twice by mistake, as happens when a node is moved and the old one was not stopped: both author
//! in each of its slots. The others see two blocks of one slot and report them, without anybody's help.

use anyhow::Result;
use gear_exe_runtime::RuntimeEvent;
use gear_exe_tests::validators::{Settings, Validators};
use pallet_slashing::{Event, offences::TwoHeaders};
use polkadot_sdk::{pallet_offences, pallet_staking, sp_keyring::Sr25519Keyring};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_blocks_in_one_slot_are_reported_by_whoever_sees_them() -> Result<()> {
    let mut network = Validators::start(Settings::default()).await?;
    let mut history = network.follow().await?;
    network.start_node("Dave-again", &["--dave"]).await?;

    let dave = Sr25519Keyring::Dave.to_account_id();
    let kind = TwoHeaders::<()>::KIND;
    let proven = history
        .first("two headers of one slot", |event| match event {
            RuntimeEvent::Slashing(Event::FaultProven {
                kind: of,
                validator,
            }) if *of == kind => Some(validator.clone()),
            _ => None,
        })
        .await?;
    assert_eq!(proven, dave, "nobody else has done anything");
    history
        .first("an offence", |event| match event {
            RuntimeEvent::Offences(pallet_offences::Event::Offence { kind: of, .. }) => {
                (*of == kind).then_some(())
            }
            _ => None,
        })
        .await?;
    let (slashed, fraction) = history
        .first("a slash of VARA", |event| match event {
            RuntimeEvent::Staking(pallet_staking::Event::SlashReported {
                validator,
                fraction,
                ..
            }) => Some((validator.clone(), *fraction)),
            _ => None,
        })
        .await?;
    assert_eq!(slashed, dave);
    assert!(!fraction.is_zero());
    network.done();
    Ok(())
}
