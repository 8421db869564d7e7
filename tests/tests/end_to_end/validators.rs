//! Four validators as processes of their own: they answer together, and three of them go on without the fourth.

use alloy::primitives::U256;
use anyhow::Result;
use gear_exe_programs::COUNTER;
use gear_exe_tests::{
    validators::{Settings, Validators, applied},
    wallet::calldata,
};

fn add(value: u32) -> Vec<u8> {
    calldata("counterAdd(bool,uint32)", &[U256::ZERO, U256::from(value)])
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn four_validators_answer_together_and_three_go_on() -> Result<()> {
    let mut network = Validators::start(Settings::default()).await?;
    let user = network.user(6)?;
    let code = user.upload(COUNTER).await?;
    let create = calldata("create(bool,uint32)", &[U256::ZERO, U256::ZERO]);
    let counter = user.program(code, 0, 1_000, &create).await?;
    let reply = user.ask(counter, &add(1)).await?;
    assert_eq!(U256::from_be_slice(&reply.payload), U256::from(1));

    network.nodes[3].kill()?;
    for count in 2..4 {
        let reply = user.ask(counter, &add(1)).await?;
        assert_eq!(U256::from_be_slice(&reply.payload), U256::from(count));
    }
    let batches = applied(&user).await?;
    assert!(batches.len() >= 4, "{batches:?}");
    for (batch, nonce) in batches.iter().zip(1..) {
        assert_eq!((batch.nonce, batch.set_id), (nonce, 1), "{batches:?}");
        assert!(batch.signers >= 3, "{batches:?}");
    }
    network.done();
    Ok(())
}
