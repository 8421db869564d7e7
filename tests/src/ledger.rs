//! Where all ETH is, at every Ethereum block: nothing may come from nowhere or go there.

use crate::wallet::{Wallet, call};
use alloy::{
    consensus::Transaction as _,
    eips::BlockId,
    network::TransactionResponse as _,
    primitives::{Address, I256, U256},
    providers::Provider,
    rpc::types::Block,
    sol_types::{SolCall as _, SolEvent},
};
use anyhow::{Context, Result, ensure};
use futures::future::try_join_all;
use gear_exe_ethereum::abi::{Mirror, Router};
use gear_exe_primitives::ActorId;
use std::collections::{BTreeMap, BTreeSet};

/// Checks all blocks from `first` on. Nobody may have been paid in them but senders and receivers of transactions,
/// `programs` and `others`. Returns how many blocks there are.
///
/// At each block
/// * the ETH of all of them and what the fees have burned are together what they were at `first`;
/// * the Router has exactly what it says that it keeps for programs and users;
/// * Router and Mirrors have exactly what was sent to programs or deposited and not paid out again, as the contracts' events
///   tell it.
///
/// # Errors
///
/// If one of these does not hold, and at which block.
pub async fn check(
    wallet: &Wallet,
    programs: &[Address],
    others: &[Address],
    first: u64,
) -> Result<usize> {
    let (head, _) = wallet.head().await?;
    let blocks = try_join_all((first..=head).map(|number| async move {
        let block = wallet.provider.get_block_by_number(number.into()).full();
        block
            .await?
            .with_context(|| format!("block {number} is gone"))
    }))
    .await?;
    let holders = holders(wallet, programs, others, &blocks);
    let flows = flows(wallet, programs).await?;

    let mut all = None;
    let mut burned = U256::ZERO;
    for block in &blocks {
        let header = &block.header;
        let number = header.number;
        ensure!(
            header.blob_gas_used.unwrap_or_default() == 0,
            "block {number} burns ETH for blobs, which is not counted here"
        );
        if number > first {
            let fee = U256::from(header.base_fee_per_gas.unwrap_or_default());
            burned += fee * U256::from(header.gas_used);
        }
        let at = BlockId::number(number);
        let balances = balances(wallet, &holders, at).await?;
        let sum = balances.values().sum::<U256>() + burned;
        let before = *all.get_or_insert(sum);
        ensure!(
            sum == before,
            "block {number}: {before} wei have become {sum}: {balances:?}"
        );

        let of = |address: &Address| balances.get(address).copied().unwrap_or_default();
        let router = of(&wallet.router);
        let custody = custody(wallet, programs, at).await?;
        ensure!(
            router == custody,
            "block {number}: the Router has {router} wei, and keeps {custody}"
        );
        let inside = router + programs.iter().map(of).sum::<U256>();
        let told: I256 = flows.range(..=number).map(|(_, flow)| *flow).sum();
        ensure!(
            I256::try_from(inside)? == told,
            "block {number}: Router and Mirrors have {inside} wei, their events tell of {told}"
        );
    }
    Ok(blocks.len())
}

/// Everybody who may have ETH.
fn holders(
    wallet: &Wallet,
    programs: &[Address],
    others: &[Address],
    blocks: &[Block],
) -> BTreeSet<Address> {
    let mut holders: BTreeSet<Address> = programs.iter().chain(others).copied().collect();
    holders.insert(wallet.router);
    for block in blocks {
        holders.insert(block.header.beneficiary);
        for transaction in block.transactions.txns() {
            holders.insert(transaction.from());
            holders.extend(transaction.to());
        }
    }
    holders
}

async fn balances(
    wallet: &Wallet,
    holders: &BTreeSet<Address>,
    at: BlockId,
) -> Result<BTreeMap<Address, U256>> {
    let questions = holders.iter().map(|holder| async move {
        let balance = wallet.provider.get_balance(*holder).block_id(at).await?;
        anyhow::Ok((*holder, balance))
    });
    Ok(try_join_all(questions).await?.into_iter().collect())
}

/// What the Router keeps for all programs, and for users.
async fn custody(wallet: &Wallet, programs: &[Address], at: BlockId) -> Result<U256> {
    let deposits = Address::from(ActorId::DEPOSITS.to_address_lossy().0);
    let question = call(wallet.router, &Router::totalPendingDepositsCall {});
    let pending = wallet.provider.call(question).block(at).await?;
    let pending = Router::totalPendingDepositsCall::abi_decode_returns(&pending)?;
    let all = programs.iter().chain([&deposits]);
    let questions = all.map(|program| async move {
        let question = call(wallet.router, &Router::custodyCall { program: *program });
        let answer = wallet.provider.call(question).block(at).await?;
        anyhow::Ok(Router::custodyCall::abi_decode_returns(&answer)?)
    });
    Ok(try_join_all(questions).await?.into_iter().sum::<U256>() + pending)
}

/// What came in and, as a negative number, went out, by block.
async fn flows(wallet: &Wallet, programs: &[Address]) -> Result<BTreeMap<u64, I256>> {
    let mut flows = BTreeMap::new();
    for program in programs {
        let (wallet, program, flows) = (wallet, *program, &mut flows);
        let plus = I256::ONE;
        add::<Mirror::MessageQueueingRequested>(wallet, program, flows, plus, |e| e.value).await?;
        add::<Mirror::ReplyQueueingRequested>(wallet, program, flows, plus, |e| e.value).await?;
        add::<Mirror::OwnedBalanceTopUpRequested>(wallet, program, flows, plus, |e| e.value)
            .await?;
        let minus = I256::MINUS_ONE;
        add::<Mirror::Reply>(wallet, program, flows, minus, |e| e.value).await?;
        add::<Mirror::ReplyCallFailed>(wallet, program, flows, minus, |e| e.value).await?;
        add::<Mirror::ValueClaimed>(wallet, program, flows, minus, |e| e.value).await?;
        add::<Mirror::PendingWithdrawn>(wallet, program, flows, minus, |e| e.value.saturating_to())
            .await?;
        // The reply's event names the value too, but it has stayed.
        add::<Mirror::ReplyTransferFailed>(wallet, program, flows, plus, |e| e.value).await?;
    }
    let (router, plus, minus) = (wallet.router, I256::ONE, I256::MINUS_ONE);
    let into = &mut flows;
    add::<Router::Deposited>(wallet, router, into, plus, |e| e.value).await?;
    add::<Router::Withdrawn>(wallet, router, into, minus, |e| e.value).await?;
    add::<Router::PendingDepositWithdrawn>(wallet, router, into, minus, |e| {
        e.value.saturating_to()
    })
    .await?;
    Ok(flows)
}

async fn add<E: SolEvent>(
    wallet: &Wallet,
    program: Address,
    flows: &mut BTreeMap<u64, I256>,
    sign: I256,
    value: impl Fn(&E) -> u128,
) -> Result<()> {
    for (event, log) in wallet.events::<E>(program).await? {
        let block = log.block_number.context("a log without a block")?;
        let value = I256::try_from(value(&event))?;
        *flows.entry(block).or_insert(I256::ZERO) += sign * value;
    }
    Ok(())
}
