//! Ethereum reorganises: the network agrees with the branch that wins, and goes on.

use alloy::{
    primitives::{Address, B256, U256, keccak256},
    providers::Provider,
    rpc::types::anvil::TransactionData,
};
use anyhow::{Context, Result, ensure};
use gear_exe_programs::COUNTER;
use gear_exe_tests::{
    network::{Network, Options},
    wallet::{Reply, Sent, Wallet, calldata},
};

const SUCCESS: [u8; 4] = [0, 1, 0, 0];

/// A network on which no reorg of the tests reaches below what is final, or below the contracts and the program.
async fn start() -> Result<(Network, Wallet, Address)> {
    let network = Network::start(Options {
        slots_in_an_epoch: 64,
        ..Options::default()
    })
    .await?;
    let wallet = network.wallet(0)?;
    let code = wallet.upload(COUNTER).await?;
    let create = calldata("create(bool,uint32)", &[U256::ZERO, U256::ZERO]);
    let counter = wallet.program(code, 0, 1_000, &create).await?;
    network.mine(80).await?;
    network.agrees().await?;
    Ok((network, wallet, counter))
}

fn add(value: u32) -> Vec<u8> {
    calldata("counterAdd(bool,uint32)", &[U256::ZERO, U256::from(value)])
}

fn counted(reply: &Reply) -> Result<U256> {
    ensure!(reply.code == SUCCESS, "it failed: {reply:?}");
    Ok(U256::from_be_slice(&reply.payload))
}

/// Reorganises so deep that the block of `sent` goes. Returns how deep that was.
async fn drop_from(
    network: &Network,
    sent: &Sent,
    transactions: Vec<(TransactionData, u64)>,
) -> Result<u64> {
    let depth = network.reorg(sent.block, transactions).await?;
    network.agrees().await?;
    Ok(depth)
}

/// The id of the `nonce`-th message of a Mirror.
fn message_id(program: Address, nonce: u64) -> B256 {
    keccak256([program.as_slice(), &U256::from(nonce).to_be_bytes::<32>()].concat())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_was_reorganised_away_never_happened() -> Result<()> {
    let (network, wallet, counter) = start().await?;

    // One block: the message is gone before anybody answered.
    let gone = wallet.send(counter, &add(1_000), 0).await?;
    drop_from(&network, &gone, Vec::new()).await?;
    let sent = wallet.send(counter, &add(1), 0).await?;
    assert_eq!(counted(&wallet.reply(&sent).await?)?, U256::from(1));

    // Five blocks, and the answer with them.
    let gone = wallet.send(counter, &add(1_000), 0).await?;
    assert_eq!(counted(&wallet.reply(&gone).await?)?, U256::from(1_001));
    let (head, _) = wallet.head().await?;
    if head < gone.block + 4 {
        network.mine(gone.block + 4 - head).await?;
    }
    let depth = drop_from(&network, &gone, Vec::new()).await?;
    assert!(depth >= 5, "{depth}");
    assert_eq!(wallet.replies(counter, gone.id).await?, []);
    let sent = wallet.send(counter, &add(2), 0).await?;
    assert_eq!(counted(&wallet.reply(&sent).await?)?, U256::from(3));

    // Seventy blocks, ETH in them, and several batches.
    let eth = 1_000_000_000_000_000_000u128;
    let deposit = calldata("counterDeposit(bool)", &[U256::ZERO]);
    let gone = wallet.send(counter, &deposit, eth).await?;
    assert_eq!(counted(&wallet.reply(&gone).await?)?, U256::from(eth));
    assert_eq!(wallet.eth(counter).await?, U256::from(eth));
    network.mine(35).await?;
    let other = wallet.send(counter, &add(1_000), 0).await?;
    assert_eq!(counted(&wallet.reply(&other).await?)?, U256::from(1_003));
    network.mine(35).await?;
    let depth = drop_from(&network, &gone, Vec::new()).await?;
    assert!(depth >= 70, "{depth}");
    assert_eq!(wallet.eth(counter).await?, U256::ZERO);
    let sent = wallet.send(counter, &add(3), 0).await?;
    assert_eq!(counted(&wallet.reply(&sent).await?)?, U256::from(6));
    let sent = wallet.send(counter, &deposit, eth).await?;
    assert_eq!(counted(&wallet.reply(&sent).await?)?, U256::from(eth));
    assert_eq!(wallet.eth(counter).await?, U256::from(eth));
    network.done();
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_order_of_the_winning_branch_counts() -> Result<()> {
    let (network, wallet, counter) = start().await?;
    let other = network.wallet(1)?;
    let first = wallet.send(counter, &add(10), 0).await?;
    let second = other.send(counter, &add(100), 0).await?;
    assert_eq!(counted(&wallet.reply(&first).await?)?, U256::from(10));
    assert_eq!(counted(&wallet.reply(&second).await?)?, U256::from(110));

    let mut raw = Vec::new();
    for sent in [&second, &first] {
        let bytes = wallet
            .provider
            .get_raw_transaction_by_hash(sent.transaction)
            .await?
            .context("the transaction is gone")?;
        raw.push((TransactionData::Raw(bytes), raw.len() as u64));
    }
    let depth = drop_from(&network, &first, raw).await?;
    assert!(depth >= 2, "{depth}");
    // A Mirror numbers its messages: the first one now adds 100. Number 0 was `create`.
    for (nonce, value) in [(1, 100), (2, 110)] {
        let sent = Sent {
            program: counter,
            id: message_id(counter, nonce),
            ..first
        };
        assert_eq!(counted(&wallet.reply(&sent).await?)?, U256::from(value));
    }
    network.done();
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_branch_that_was_left_may_come_back() -> Result<()> {
    let (mut network, wallet, counter) = start().await?;
    let branch_b = network.fork_ethereum().await?;

    // On branch A there is a message, and a batch that answers it.
    let on_a = wallet.send(counter, &add(5), 0).await?;
    assert_eq!(counted(&wallet.reply(&on_a).await?)?, U256::from(5));

    // Branch B wins, and gets messages and batches of its own.
    network.mining(branch_b, true).await?;
    network.show_ethereum(branch_b)?;
    network.mine(10).await?;
    network.agrees().await?;
    assert_eq!(wallet.replies(counter, on_a.id).await?, []);
    let on_b = wallet.send(counter, &add(7), 0).await?;
    assert_eq!(counted(&wallet.reply(&on_b).await?)?, U256::from(7));

    // Branch A comes back and grows.
    network.show_ethereum(0)?;
    network.mine(20).await?;
    network.agrees().await?;
    assert_eq!(wallet.replies(counter, on_a.id).await?.len(), 1);
    let again = wallet.send(counter, &add(1), 0).await?;
    assert_eq!(counted(&wallet.reply(&again).await?)?, U256::from(6));
    assert_eq!(wallet.replies(counter, on_a.id).await?.len(), 1);
    network.done();
    Ok(())
}
