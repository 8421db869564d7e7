//! WASM that is no program, and programs that misbehave: refused or bounded, and nobody else notices.

use alloy::primitives::Address;
use anyhow::Result;
use gear_exe_primitives::CodeId;
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
    let refused = modules::refused();
    let smallest = modules::smallest();
    let mut codes: Vec<&[u8]> = refused.iter().map(|(_, code)| code.as_slice()).collect();
    codes.push(&smallest);
    wallet.offer_all(&codes).await?;
    for (flaw, code) in &refused {
        let code = CodeId::of(code);
        assert!(!wallet.verdict(code).await?, "accepted: {flaw}");
        assert!(wallet.create(code, 0, None).await.is_err(), "{flaw}");
    }
    assert!(wallet.verdict(CodeId::of(&smallest)).await?);
    network.done();
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn programs_that_misbehave_are_bounded_and_others_unaffected() -> Result<()> {
    let network = Network::start(Options::default()).await?;
    let wallet = network.wallet(0)?;
    let [trouble, ping] = wallet.upload_all([TROUBLE, PING]).await?;
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
    let messages: Vec<(Address, &[u8])> = cases
        .iter()
        .flat_map(|(command, _)| [(trouble, *command), (ping, b"PING")])
        .collect();
    let sent = wallet.send_all(&messages).await?;
    for ((command, code), pair) in cases.iter().zip(sent.chunks(2)) {
        let command = String::from_utf8_lossy(command);
        let reply = wallet.reply(&pair[1]).await?;
        assert_eq!(reply.payload[..], *b"PONG", "{command}");
        let reply = wallet.reply(&pair[0]).await?;
        assert_eq!(reply.code, *code, "{command}: {reply:?}");
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
