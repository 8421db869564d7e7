//! WASM that is no program, and programs that misbehave: refused or bounded, and nobody else notices.

use alloy::primitives::Address;
use anyhow::Result;
use gear_exe_programs::{PING, TROUBLE};
use gear_exe_tests::{
    modules,
    network::{Network, Options},
    wallet::{WVARA, eventually},
};
use jsonrpsee::rpc_params;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn codes_that_are_no_programs_are_refused_on_ethereum() -> Result<()> {
    let network = Network::start(Options::default()).await?;
    let wallet = network.wallet(0)?;
    let mut offered = Vec::new();
    for (flaw, code) in modules::refused() {
        offered.push((flaw, wallet.offer(&code).await?));
    }
    let smallest = wallet.offer(&modules::smallest()).await?;
    for (flaw, code) in offered {
        assert!(!wallet.verdict(code).await?, "accepted: {flaw}");
        assert!(wallet.create(code, 0, None).await.is_err(), "{flaw}");
    }
    assert!(wallet.verdict(smallest).await?);
    network.done();
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn programs_that_misbehave_are_bounded_and_others_unaffected() -> Result<()> {
    let network = Network::start(Options::default()).await?;
    let wallet = network.wallet(0)?;
    let trouble = wallet.upload(TROUBLE).await?;
    let ping = wallet.upload(PING).await?;
    let trouble = wallet.program(trouble, 0, 20_000, b"").await?;
    let ping = wallet.program(ping, 0, 100, b"").await?;

    let cases: [(&[u8], [u8; 4]); 8] = [
        (b"LOOP", [1, 0, 0, 0]),
        (b"RECURSE", [1, 0, 5, 0]),
        (b"TRAP", [1, 0, 4, 0]),
        (b"PANIC", [1, 0, 3, 0]),
        (b"DIRTY", [1, 0, 3, 0]),
        (b"WILD", [1, 0, 4, 0]),
        (b"ALLOC", [1, 0, 0, 0]),
        (b"FLOOD", [1, 0, 3, 0]),
    ];
    let mut sent = Vec::new();
    for (command, code) in cases {
        let bad = wallet.send(trouble, command, 0).await?;
        let good = wallet.send(ping, b"PING", 0).await?;
        sent.push((command, code, bad, good));
    }
    for (command, code, bad, good) in sent {
        let command = String::from_utf8_lossy(command);
        assert_eq!(
            wallet.reply(&good).await?.payload[..],
            *b"PONG",
            "{command}"
        );
        let reply = wallet.reply(&bad).await?;
        assert_eq!(reply.code, code, "{command}: {reply:?}");
    }
    // Nothing of what failed has stayed.
    let count = wallet.ask(trouble, b"COUNT").await?;
    assert_eq!(count.payload[..], 0u64.to_le_bytes());
    network.done();
    Ok(())
}

async fn starved(network: &Network, program: Address) -> Result<Option<bool>> {
    let state = network
        .ask("gear_programState", rpc_params![program])
        .await?;
    Ok(state["starved"].as_bool())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_program_without_balance_waits_for_its_top_up() -> Result<()> {
    let network = Network::start(Options::default()).await?;
    let wallet = network.wallet(0)?;
    let code = wallet.upload(PING).await?;
    let program = wallet.create(code, 0, None).await?;
    let init = wallet.send(program, b"", 0).await?;
    let ping = wallet.send(program, b"PING", 0).await?;
    eventually("the program starves", || async {
        Ok(starved(&network, program).await?.filter(|starved| *starved))
    })
    .await?;
    assert_eq!(wallet.replies(program, init.id).await?, []);

    wallet.top_up(program, 100 * WVARA).await?;
    assert_eq!(wallet.reply(&init).await?.code, [0, 0, 0, 0]);
    assert_eq!(wallet.reply(&ping).await?.payload[..], *b"PONG");
    assert_eq!(starved(&network, program).await?, Some(false));
    network.done();
    Ok(())
}
