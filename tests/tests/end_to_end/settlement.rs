//! Batches on their way to Ethereum (protocol.md, section 8, as far as one validator can show it): branches on which
//! other batches were applied, a long time without a relayer, and items that cannot be applied.

use alloy::{
    network::TransactionBuilder,
    primitives::{Address, B256, U256},
    rpc::types::TransactionRequest,
};
use anyhow::{Context, Result, ensure};
use gear_exe_ethereum::{
    abi::{Mirror, Router},
    batch,
};
use gear_exe_programs::{COUNTER, TROUBLE};
use gear_exe_relayer::{Chain, RpcChain};
use gear_exe_tests::{
    grudge, ledger,
    network::{Network, Options, Relayer, Signed},
    wallet::{Reply, Sent, Wallet, call, calldata, eventually, message, sent},
};
use jsonrpsee::rpc_params;
use serde_json::Value;
use std::time::Duration;

const SUCCESS: [u8; 4] = [0, 1, 0, 0];

/// Nonce, digest and Ethereum block of each applied batch, in order.
async fn applied(wallet: &Wallet) -> Result<Vec<(u64, B256, u64)>> {
    let events = wallet.events::<Router::BatchApplied>(wallet.router).await?;
    events
        .into_iter()
        .map(|(event, log)| {
            let block = log.block_number.context("a log without a block")?;
            Ok((event.nonce, event.digest, block))
        })
        .collect()
}

/// Waits until the node has signed more batches than these, and returns the newest.
async fn newly_signed(network: &Network, before: &[Signed]) -> Result<Signed> {
    eventually("another batch is signed", || async {
        let now = network.signed()?;
        Ok(now.get(before.len()..).and_then(|new| new.last().copied()))
    })
    .await
}

fn add(value: u32) -> Vec<u8> {
    calldata("counterAdd(bool,uint32)", &[U256::ZERO, U256::from(value)])
}

fn counted(reply: &Reply) -> Result<U256> {
    ensure!(reply.code == SUCCESS, "it failed: {reply:?}");
    Ok(U256::from_be_slice(&reply.payload))
}

/// The batch that any relayer could carry now, as a transaction.
async fn ready(network: &Network, digest: B256) -> Result<TransactionRequest> {
    let url = network.rpc().replace("http", "ws");
    let chain = RpcChain::new(url, Duration::from_secs(10));
    let ready = eventually("the signed batch is final", || async {
        let ready = chain.ready().await?;
        Ok(ready.into_iter().find(|ready| ready.digest.0 == digest.0))
    })
    .await?;
    let body = chain.body(ready.digest).await?.context("no body")?;
    let signatures: Vec<u8> = ready.signatures.iter().flat_map(|one| one.0).collect();
    Ok(TransactionRequest::default()
        .with_to(network.router())
        .with_input(batch::calldata(&body, &ready.signers, &signatures))
        .with_gas_limit(10_000_000))
}

/// Carries what the node signs, as any relayer might, until there is a reply.
async fn settle(network: &Network, sent: &Sent, signed: &[Signed]) -> Result<Reply> {
    let batch = newly_signed(network, signed).await?;
    let request = ready(network, batch.digest).await?;
    network.wallet(1)?.transact(request).await?;
    network.wallet(0)?.reply(sent).await
}

/// Two batches are built on the same one, and both are valid on one branch. Whichever comes first, and also if a batch was
/// applied on a branch while nobody looked at it, the next one settles.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn whichever_batch_a_branch_holds_the_next_one_settles() -> Result<()> {
    let mut network = Network::start(Options {
        slots_in_an_epoch: 64,
        relayer: Relayer::Process,
        ..Options::default()
    })
    .await?;
    let wallet = network.wallet(0)?;
    let code = wallet.upload(COUNTER).await?;
    let create = calldata("create(bool,uint32)", &[U256::ZERO, U256::ZERO]);
    let counter = wallet.program(code, 0, 1_000, &create).await?;
    network.agrees().await?;

    // A batch is signed, and nobody carries it.
    network.kill_relayer()?;
    let before = network.signed()?;
    let first = wallet.send(counter, &add(1), 0).await?;
    let old = newly_signed(&network, &before).await?;
    let carry_old = ready(&network, old.digest).await?;
    let branch_b = network.fork_ethereum().await?;

    // Branch A goes on until that batch has expired. The next is built on the same one, and is applied.
    let before = network.signed()?;
    network.mine(60).await?;
    let new = newly_signed(&network, &before).await?;
    assert_eq!(new.nonce, old.nonce);
    let second = wallet.send(counter, &add(10), 0).await?;
    network.start_relayer()?;
    assert_eq!(counted(&wallet.reply(&first).await?)?, U256::from(1));
    assert_eq!(counted(&wallet.reply(&second).await?)?, U256::from(11));

    // And one more is signed, but not carried.
    network.kill_relayer()?;
    let before = network.signed()?;
    let late = wallet.send(counter, &add(100), 0).await?;
    let left = newly_signed(&network, &before).await?;
    let carry_left = ready(&network, left.digest).await?;
    network.mining(0, false).await?;

    // On branch B, where it is earlier, the old one has not expired. The chain has closed it, and signs another: both are
    // valid.
    let before = network.signed()?;
    network.mining(branch_b, true).await?;
    network.show_ethereum(branch_b)?;
    network.agrees().await?;
    let newer = newly_signed(&network, &before).await?;
    assert_eq!(newer.nonce, old.nonce);
    let carry_newer = ready(&network, newer.digest).await?;
    let branch_c = network.fork_ethereum().await?;
    network.mining(branch_b, false).await?;

    // The older first on branch B, the newer first on branch C: the other one is refused, the next one settles.
    for (branch, one, other, digest) in [
        (branch_b, &carry_old, &carry_newer, old.digest),
        (branch_c, &carry_newer, &carry_old, newer.digest),
    ] {
        network.mining(branch, true).await?;
        network.show_ethereum(branch)?;
        network.agrees().await?;
        let relayer = network.wallet(1)?;
        relayer.transact(one.clone()).await?;
        let refused = relayer.transact(other.clone()).await.map(drop);
        ensure!(refused.is_err(), "both were applied");
        let last = applied(&wallet).await?.pop().context("no batch")?;
        assert_eq!((last.0, last.1), (old.nonce, digest));
        assert_eq!(counted(&wallet.reply(&first).await?)?, U256::from(1));
        assert_eq!(wallet.replies(counter, second.id).await?, []);
        let signed = network.signed()?;
        let next = wallet.send(counter, &add(1_000), 0).await?;
        let reply = settle(&network, &next, &signed).await?;
        assert_eq!(counted(&reply)?, U256::from(1_001));
        network.mining(branch, false).await?;
    }

    // Meanwhile somebody carries the one that was left to branch A. When that comes back, it holds a batch of which the
    // network has heard nothing.
    network.mining(0, true).await?;
    network.wallet_at(1, 0)?.transact(carry_left).await?;
    network.show_ethereum(0)?;
    network.agrees().await?;
    let last = applied(&wallet).await?.pop().context("no batch")?;
    assert_eq!(last.1, left.digest);
    network.start_relayer()?;
    let next = wallet.send(counter, &add(1), 0).await?;
    assert_eq!(counted(&wallet.reply(&next).await?)?, U256::from(112));
    for (sent, value) in [(first, 1), (second, 11), (late, 111)] {
        assert_eq!(counted(&wallet.reply(&sent).await?)?, U256::from(value));
    }
    network.done();
    Ok(())
}

/// How old the oldest message without a reply is after each batch, in Ethereum blocks.
async fn ages(wallet: &Wallet, sent: &[Sent], batches: &[(u64, B256, u64)]) -> Result<Vec<u64>> {
    let mut answered = Vec::new();
    for sent in sent {
        let reply = wallet.reply(sent).await?;
        ensure!(reply.code == SUCCESS, "it failed: {reply:?}");
        answered.push((sent.block, reply.block));
    }
    Ok(batches
        .iter()
        .map(|(.., block)| {
            let open = answered.iter().filter(|(_, reply)| reply > block);
            open.map(|(sent, _)| block - sent).max().unwrap_or_default()
        })
        .collect())
}

/// No relayer for hundreds of Ethereum blocks, beyond the expiry of many batches: nothing is lost, and what has piled up
/// is carried in as many batches as it takes, the oldest first.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_backlog_of_many_batches_drains_after_a_long_time() -> Result<()> {
    /// Three of these replies are too long for one batch.
    const LENGTH: u32 = 40_000;
    const MESSAGES: usize = 22;
    let mut network = Network::start(Options {
        // A block for each transaction: as fast as it goes.
        block_time: None,
        relayer: Relayer::Process,
        ..Options::default()
    })
    .await?;
    let wallet = network.wallet(0)?;
    let code = wallet.upload(TROUBLE).await?;
    let trouble = wallet.program(code, 0, 1_000, b"").await?;
    network.agrees().await?;
    network.kill_relayer()?;
    let before = applied(&wallet).await?.len();

    let ask = [&b"BIG"[..], &LENGTH.to_le_bytes()].concat();
    let mut sent = Vec::new();
    for _ in 0..MESSAGES {
        sent.push(wallet.send(trouble, &ask, 0).await?);
        network.mine(10).await?;
    }
    network.mine(300).await?;
    network.agrees().await?;
    assert_eq!(applied(&wallet).await?.len(), before);
    ensure!(network.metric("gear_exe_unsettled_age_seconds", "").await? > 0.0);

    network.start_relayer()?;
    for sent in &sent {
        assert_eq!(wallet.reply(sent).await?.payload.len(), LENGTH as usize);
    }
    let batches = applied(&wallet).await?.split_off(before);
    ensure!(batches.len() >= 10, "only {} batches", batches.len());
    let ages = ages(&wallet, &sent, &batches).await?;
    ensure!(ages[0] > 300 && ages.last() == Some(&0), "{ages:?}");
    ensure!(
        ages.is_sorted_by(|before, after| before > after),
        "{ages:?}"
    );
    eventually("nothing is unsettled", || async {
        let age = network.metric("gear_exe_unsettled_age_seconds", "").await?;
        Ok((age == 0.0).then_some(()))
    })
    .await?;

    // As before, and no message was answered twice.
    let count = wallet.ask(trouble, b"COUNT").await?;
    assert_eq!(count.code, SUCCESS);
    for sent in &sent {
        assert_eq!(wallet.replies(trouble, sent.id).await?.len(), 1);
    }
    network.done();
    Ok(())
}

/// What the executor says that a program owns is what its Mirror has and does not owe.
async fn agrees_on_value(network: &Network, wallet: &Wallet, program: Address) -> Result<()> {
    let state = network
        .ask("gear_programState", rpc_params![program])
        .await?;
    let owned = match &state["state"]["balance"] {
        Value::String(text) => text.parse()?,
        number => U256::from(number.as_u64().context("no balance")?),
    };
    let pending = wallet.read(program, Mirror::totalPendingCall {}).await?;
    assert_eq!(wallet.eth(program).await?, owned + pending, "{program}");
    Ok(())
}

/// A contract whose call-back burns all its gas and that cannot be paid, among others that can; ETH from user to program
/// to program and back; a reorg that takes only the block that a batch is in.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_cannot_be_applied_is_skipped_and_no_eth_is_lost() -> Result<()> {
    let network = Network::start(Options {
        slots_in_an_epoch: 64,
        ..Options::default()
    })
    .await?;
    let (wallet, other) = (network.wallet(0)?, network.wallet(1)?);
    let code = wallet.upload(TROUBLE).await?;
    let programs = wallet.create_all(code, [0, 1]).await?;
    let (one, two) = (programs[0], programs[1]);
    for first in wallet
        .begin(&[(one, 1_000, b""), (two, 1_000, b"")])
        .await?
    {
        wallet.reply(&first).await?;
    }
    let grudge = wallet.deploy(grudge::creation_code()).await?;
    let (start, _) = wallet.head().await?;

    // All in one Ethereum block, and so in one batch.
    let mailbox = |value: u128| [&b"MAILBOX"[..], &value.to_le_bytes()].concat();
    let pass_on = [
        &b"SEND"[..],
        two.into_word().as_slice(),
        &600u128.to_le_bytes(),
        b"REFUND",
    ]
    .concat();
    let ask = |payload: &[u8], value, call_reply| {
        let method = Mirror::sendMessageCall {
            payload: payload.to_vec().into(),
            callReply: call_reply,
        };
        grudge::make_call(grudge, one, &method, value)
    };
    let gift = TransactionRequest::default()
        .with_to(two)
        .with_value(U256::from(8_000));
    network.mining(0, false).await?;
    let hashes = wallet
        .submit_all([
            ask(b"COUNT", 0, true),
            ask(b"REFUND", 3, false),
            ask(&mailbox(40), 40, false),
            message(one, b"REFUND", 5),
            message(one, &mailbox(70), 70),
            message(one, &pass_on, 900),
            gift,
        ])
        .await?;
    network.mining(0, true).await?;
    let receipts = wallet.all_mined(hashes).await?;
    let sent: Vec<Sent> = receipts
        .iter()
        .take(6)
        .map(|receipt| sent(one, receipt))
        .collect::<Result<_>>()?;
    let foreign = other.send(two, b"REFUND", 11).await?;

    ensure!(sent.iter().all(|message| message.block == sent[0].block));

    // What comes after those that fail is done, in the same batch.
    let refunded = wallet.reply(&sent[3]).await?;
    assert_eq!(refunded.value, 5);
    for sent in [&sent[4], &sent[5]] {
        let reply = wallet.reply(sent).await?;
        assert_eq!((reply.code, reply.block), ([0; 4], refunded.block));
    }
    assert_eq!(wallet.reply(&foreign).await?.value, 11);
    let failed = wallet.events::<Mirror::ReplyCallFailed>(one).await?;
    assert_eq!(failed.len(), 1);
    assert_eq!(failed[0].0.replyTo, sent[0].id);
    assert_eq!(failed[0].1.block_number, Some(refunded.block));
    let unpaid = wallet.events::<Mirror::ReplyTransferFailed>(one).await?;
    assert_eq!(unpaid.len(), 1);
    assert_eq!((unpaid[0].0.destination, unpaid[0].0.value), (grudge, 3));
    assert_eq!(wallet.reply(&sent[1]).await?.code, SUCCESS);

    // Claims, of which one cannot be paid either. What is owed can be had in another way.
    let mail = wallet.events::<Mirror::Message>(one).await?;
    let id = |value: u128| {
        let found = mail.iter().find(|(mail, _)| mail.value == value);
        found.map(|(mail, _)| mail.id).context("no mail")
    };
    let claim = |id| Mirror::claimValueCall { claimedId: id };
    wallet
        .transact_all([
            grudge::make_call(grudge, one, &claim(id(40)?), 0),
            call(one, &claim(id(70)?)),
        ])
        .await?;
    eventually("both claims are done", || async {
        let failed = wallet.events::<Mirror::ValueClaimFailed>(one).await?;
        let paid = wallet.events::<Mirror::ValueClaimed>(one).await?;
        Ok((failed.len() == 1 && paid.len() == 1).then_some(()))
    })
    .await?;
    let pending = Mirror::pendingWithdrawalCall { owner: grudge };
    assert_eq!(wallet.read(one, pending).await?, U256::from(43));
    let heir = Address::repeat_byte(0x77);
    let withdraw = Mirror::withdrawPendingCall { to: heir };
    wallet
        .transact(grudge::make_call(grudge, one, &withdraw, 0))
        .await?;
    assert_eq!(wallet.eth(heir).await?, U256::from(43));
    // 900 came in, 600 of which went to `two` and came back.
    assert_eq!(wallet.eth(one).await?, U256::from(900));
    assert_eq!(wallet.eth(two).await?, U256::from(8_000));
    ledger::check(&wallet, &programs, &[grudge, heir], start).await?;

    // A batch is applied, and the block that it is in goes. The same is applied again, without another signature.
    let last = wallet.send(one, b"REFUND", 9).await?;
    let reply = wallet.reply(&last).await?;
    ensure!(reply.block > last.block);
    let signed = network.signed()?;
    let taken = applied(&wallet).await?.pop().context("no batch")?;
    assert_eq!(taken.2, reply.block);
    network.reorg(reply.block, Vec::new()).await?;
    let again = eventually("the batch is applied again", || async {
        let last = applied(&wallet).await?.pop();
        Ok(last.filter(|last| last.0 >= taken.0))
    })
    .await?;
    assert_eq!((again.0, again.1), (taken.0, taken.1));
    assert_eq!(network.signed()?, signed);
    assert_eq!(wallet.reply(&last).await?.value, 9);

    // And so is the next.
    let next = wallet.send(two, b"REFUND", 10).await?;
    assert_eq!(wallet.reply(&next).await?.value, 10);
    let newest = applied(&wallet).await?.pop().context("no batch")?;
    assert_eq!(newest.0, taken.0 + 1);
    let blocks = ledger::check(&wallet, &programs, &[grudge, heir], start).await?;
    ensure!(blocks > 10, "only {blocks} blocks");
    for program in programs {
        agrees_on_value(&network, &wallet, program).await?;
    }
    network.done();
    Ok(())
}
