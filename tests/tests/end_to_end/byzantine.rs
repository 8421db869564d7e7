//! A validator that promises what is not so, in its own blocks: each lie is reported on the chain by whoever hears it, without
//! anybody's help.

use anyhow::Result;
use gear_exe_primitives::faults::{BrokenPromise, TwoPromises};
use gear_exe_runtime::RuntimeEvent;
use gear_exe_tests::validators::{Settings, Validators};
use pallet_slashing::{Event, offences::Proves};
use polkadot_sdk::{pallet_offences, sp_keyring::Sr25519Keyring};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn broken_promises_are_reported() -> Result<()> {
    let mut network = Validators::start(Settings::default()).await?;
    let mut history = network.follow().await?;
    network.nodes[3].kill()?;
    network
        .start_binary("gear-exe-byzantine", "Dave-lies", &["--dave"])
        .await?;
    let dave = Sr25519Keyring::Dave.to_account_id();
    for kind in [TwoPromises::KIND, BrokenPromise::KIND] {
        let name = String::from_utf8_lossy(&kind).into_owned();
        let proven = history
            .first(&name, |event| match event {
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
    }
    Ok(())
}
