//! Ethereum reorganises, 1, 5 and 70 blocks deep, while native messages come to four validators: all of them agree, what came from
//! Ethereum and is gone there never happened, every native message lives on, once, and what is contradicted is told. Then it moves
//! and reorganises while the chain cannot finalise: nothing is committed meanwhile, everything goes on afterwards, and nobody is
//! accused.

use alloy::primitives::U256;
use anyhow::{Result, ensure};
use gear_exe_client::{Answer, Client};
use gear_exe_primitives::{H256, MessageId, message::ReplyCode, native::SigningForm};
use gear_exe_programs::COUNTER;
use gear_exe_runtime::RuntimeEvent;
use gear_exe_tests::{
    audit::{Audit, finalised},
    life::Life,
    native::Native,
    traffic::{Traffic, one},
    validators::{Settings, Validators, applied},
    wallet::{calldata, eventually},
};
use pallet_slashing::{Event, offences::Absence};
use serde_json::json;

const SECRET: [u8; 32] = [0x48; 32];

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn natives_survive_reorgs_of_any_depth() -> Result<()> {
    let mut network = Validators::start(Settings {
        slots_in_an_epoch: Some(64),
        ..Settings::default()
    })
    .await?;
    let user = network.user(6)?;
    let code = user.upload(COUNTER).await?;
    let create = calldata("create(bool,uint32)", &[U256::ZERO, U256::ZERO]);
    let counter = user.program(code, 0, 10_000, &create).await?;
    let domain = network.chain().domain().await?;
    let urls: Vec<_> = (0..4).map(|node| network.url_of(node)).collect();
    let mut clients = Vec::new();
    for url in &urls {
        clients.push(Client::connect(url).await?);
    }
    // No reorg of this test reaches below here.
    network.mine(80).await?;
    let from = finalised(&clients[0]).await?;
    let mut history = network.follow().await?;
    let traffic = Traffic::start(&urls, domain, counter, user.clone(), None).await?;
    let native = Native::connect(&urls[0], SECRET, domain).await?;

    let thousand = calldata("counterAdd(bool,uint32)", &[U256::ZERO, U256::from(1_000)]);
    let (mut natives, mut gone) = (Vec::new(), Vec::new());
    for (salt, depth) in (1u64..).zip([1, 5, 70]) {
        // A message in the head, executed everywhere; then a native one, executed after it.
        let sent = user.send(counter, &thousand, 0).await?;
        network.mining(false).await?;
        let (head, _) = user.head().await?;
        let mut lost = Life::follow(&urls[1], H256(sent.id.0), None).await?;
        lost.until("executed").await?;
        let message = native.transaction(&user, counter, &one(), salt).await?;
        let signed = native.sign(message, SigningForm::Typed)?;
        let id = signed.id(&domain);
        let mut kept = Life::follow(&urls[2], id.0, None).await?;
        assert_eq!(native.send(&signed).await?, json!("Accept"));
        let before = kept.until("executed").await?;

        let more = (sent.block + depth).saturating_sub(head + 1);
        network.mine(more).await?;
        let (head, _) = user.head().await?;
        network.reorg(head + 1 - sent.block).await?;
        network.mining(true).await?;

        // The one is gone, the other is contradicted, and lives on.
        lost.until("superseded").await?;
        let told = kept.until("superseded").await?;
        assert_eq!(told["block"], before["block"]);
        let after = kept.until("executed").await?;
        assert_ne!(after["block"], before["block"]);
        assert_eq!(after["receipt"]["code"], "0x00010000");
        kept.until("certified").await?;
        // Everything goes on.
        let reply = user.ask(counter, &one()).await?;
        ensure!(reply.code == [0, 1, 0, 0], "{reply:?}");
        natives.push(id);
        gone.push(MessageId::from(sent.id.0));
        println!("a reorg of {depth} is over");
    }

    // Two of four are away. What Ethereum loses meanwhile, it has had for nobody.
    for node in [2, 3] {
        network.nodes[node].kill()?;
    }
    let before = applied(&user).await?;
    let lost = user.send(counter, &thousand, 0).await?;
    network.mining(false).await?;
    network.mine(4).await?;
    let (head, _) = user.head().await?;
    network.reorg(head + 1 - lost.block).await?;
    network.mining(true).await?;
    gone.push(MessageId::from(lost.id.0));
    let kept = user.send(counter, &one(), 0).await?;
    let now = applied(&user).await?;
    ensure!(
        now.iter().all(|batch| before.contains(batch)),
        "{now:?}, but before {before:?}"
    );
    for node in [2, 3] {
        network.restart(node, &[]).await?;
    }
    let reply = user.reply(&kept).await?;
    ensure!(reply.code == [0, 1, 0, 0], "{reply:?}");
    let accused = history.all(|event| match event {
        RuntimeEvent::Slashing(Event::FaultProven { kind, .. }) => {
            (*kind != Absence::<()>::KIND).then(|| String::from_utf8_lossy(kind).into_owned())
        }
        _ => None,
    });
    let accused = accused.await?;
    ensure!(
        accused.is_empty(),
        "honest validators are accused: {accused:?}"
    );

    let sent = traffic.stop().await?;
    let message = native.transaction(&user, counter, &one(), 9).await?;
    let signed = native.sign(message, SigningForm::Typed)?;
    let Answer::Replied { payload, code, .. } = native.ask(&signed).await? else {
        anyhow::bail!("no reply");
    };
    assert_eq!(code, ReplyCode::SUCCESS_MANUAL);
    let last = signed.id(&domain);
    // What a reorg has met in a pool refers to a block that is gone: it is purged, and that is told.
    let audit = eventually("what was sent is final, or purged", || async {
        let audit = Audit::read(&clients, from).await?;
        let mut open = vec![last];
        open.retain(|id| !audit.receipts.contains_key(id));
        for id in sent.missing(&audit) {
            let mut purged = false;
            for client in &clients {
                purged |= matches!(client.reply(id).await?, Some(Answer::Purged(_)));
            }
            if !purged {
                open.push(id);
            }
        }
        ensure!(open.is_empty(), "neither executed nor purged: {open:?}");
        Ok(Some(audit))
    })
    .await?;
    let purged = sent.missing(&audit).len();
    let counted = sent.count(&audit)?;
    println!("{counted} native messages were executed once, {purged} purged with a reason");
    ensure!(counted > 10, "there was no traffic");
    for id in natives.iter().chain([&last]) {
        ensure!(
            audit.receipts.get(id) == Some(&1),
            "{id:?} was not executed once"
        );
    }
    for id in &gone {
        ensure!(
            !audit.receipts.contains_key(id),
            "{id:?} is gone on Ethereum"
        );
    }
    ensure!(audit.is_agreed(), "{:?} {:?}", audit.roots, audit.outcomes);
    // Each native of this test, one by wallet after each reorg, the one of the stand-still, and the last.
    let own = u64::try_from(2 * natives.len())? + 2;
    assert_eq!(U256::from_be_slice(&payload), U256::from(counted + own));
    network.done();
    Ok(())
}
