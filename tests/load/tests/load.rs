//! A short load over four validators that are far from each other: nothing is lost, nothing is executed twice, all agree.

use anyhow::Result;
use gear_exe_load::{
    plan::{Kind, Plan},
    plot,
    run::{LEVELS, run},
    target::Target,
};
use std::time::Duration;

/// Milliseconds between two validators.
const DELAY: Duration = Duration::from_millis(20);

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn under_a_small_load_every_message_is_executed_once_on_all_nodes() -> Result<()> {
    let plan = Plan {
        senders: 16,
        rate: 40.0,
        duration: Duration::from_secs(10),
        mix: "ping=5,token=3,counter=1,cpu=1".parse()?,
        programs: 2,
        ethereum_percent: 5,
        wvara: 5_000,
        // The machine may be busy with other tests.
        patience: Duration::from_secs(300),
        ..Plan::default()
    };
    let target = Target::own(&plan, DELAY).await?;
    let report = run(&plan, &target, &|_| {}).await?;
    println!("{report}");

    let fate = report.fate();
    assert_eq!(report.sent.len(), 400);
    assert_eq!((fate.accepted, fate.once), (400, 400), "{fate:?}");
    assert_eq!((fate.lost, fate.twice), (0, 0), "{fate:?}");
    assert!(report.audit.is_agreed(), "{:?}", report.audit);
    assert_eq!(report.audit.roots.len(), 4);
    // Every kind was executed with success, also by nodes that did not get it from the sender.
    assert_eq!(report.audit.failed, 0);
    for kind in Kind::ALL {
        let sent = report.sent.iter().filter(|sent| sent.message.kind == kind);
        assert!(sent.count() > 10, "{}", kind.name());
    }
    // Each was seen at each level, by the node that it was sent to.
    for (place, level) in LEVELS.iter().enumerate() {
        let seen = report.measured(place).count();
        assert_eq!(seen, 400, "{}", level.name());
    }
    // All connections between nodes were as long as they should be.
    assert_eq!(report.strangers, Some(0));
    let picture = plot::svg(&report);
    assert!(picture.starts_with("<svg") && picture.trim_end().ends_with("</svg>"));
    if let Some(network) = target.network {
        network.done();
    }
    Ok(())
}
