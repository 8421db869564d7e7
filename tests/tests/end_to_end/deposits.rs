//! Value in native messages: paid out of what the user has deposited at the Router, spent once, given back if it is not taken,
//! and gone with the deposit if Ethereum takes that back.

use alloy::{
    network::TransactionBuilder,
    primitives::{Address, U256},
    rpc::types::TransactionReceipt,
};
use anyhow::{Context, Result, ensure};
use gear_exe_ethereum::abi::Router;
use gear_exe_primitives::{
    ActorId, H160, H256,
    message::ReplyCode,
    native::{SignedNative, SigningForm},
};
use gear_exe_programs::COUNTER;
use gear_exe_tests::{
    ledger,
    life::Life,
    native::{Answer, Native},
    network::{Network, Options},
    wallet::{Wallet, call, calldata, eventually},
};
use jsonrpsee::rpc_params;
use serde_json::{Value, json};

/// A tenth of one ETH, in wei.
const TENTH: u128 = 100_000_000_000_000_000;

/// A network with a counter, and a user with an Ethereum account at its node.
struct World {
    network: Network,
    wallet: Wallet,
    user: Native,
    counter: Address,
    salt: u64,
}

impl World {
    async fn start(options: Options) -> Result<Self> {
        let network = Network::start(options).await?;
        let owner = network.wallet(0)?;
        let code = owner.upload(COUNTER).await?;
        let create = calldata("create(bool,uint32)", &[U256::ZERO, U256::ZERO]);
        let counter = owner.program(code, 0, 1_000, &create).await?;
        let url = network.rpc().replace("http://", "ws://");
        let user = Native::connect(&url, network.secret(3)?, network.domain().await?).await?;
        Ok(Self {
            wallet: network.wallet(3)?,
            network,
            user,
            counter,
            salt: 0,
        })
    }

    fn url(&self) -> String {
        self.network.rpc().replace("http://", "ws://")
    }

    /// A message with so many tenths of one ETH.
    async fn message(
        &mut self,
        payload: &[u8],
        tenths: u128,
        form: SigningForm,
    ) -> Result<SignedNative> {
        self.salt += 1;
        let (user, counter, salt) = (&self.user, self.counter, self.salt);
        let mut message = user
            .transaction(&self.wallet, counter, payload, salt)
            .await?;
        message.value = tenths * TENTH;
        user.sign(message, form)
    }

    /// Puts so many tenths of one ETH by, and waits until the node has it. Returns the transaction.
    async fn put(&self, tenths: u128) -> Result<TransactionReceipt> {
        let before = self.deposit().await?;
        let deposit = call(self.wallet.router, &Router::depositCall {});
        let value = U256::from(tenths * TENTH);
        let receipt = self.wallet.transact(deposit.with_value(value)).await?;
        self.has(before + tenths * TENTH).await?;
        Ok(receipt)
    }

    /// What the node has of the user's deposit.
    async fn deposit(&self) -> Result<u128> {
        let found = self
            .network
            .ask("gear_deposit", rpc_params![self.user.address])
            .await?;
        let value = &found["value"];
        let text = value
            .as_str()
            .map_or_else(|| value.to_string(), str::to_owned);
        Ok(text.parse()?)
    }

    async fn has(&self, value: u128) -> Result<()> {
        eventually("the deposit is what it should be", || async {
            Ok((self.deposit().await? == value).then_some(()))
        })
        .await
        .with_context(|| format!("it should be {value}"))
    }

    /// What the Router keeps of all deposits.
    async fn kept(&self) -> Result<U256> {
        let deposits = ActorId::DEPOSITS.to_address_lossy();
        let program = Address::from(deposits.0);
        self.wallet
            .read(self.wallet.router, Router::custodyCall { program })
            .await
    }

    /// Waits until the program owns so many tenths of one ETH on Ethereum, and the Router keeps so many as deposits.
    async fn settled(&self, owned: u128, kept: u128) -> Result<()> {
        eventually("ETH is where it should be", || async {
            let is_owned = self.wallet.eth(self.counter).await? == U256::from(owned * TENTH);
            let is_kept = self.kept().await? == U256::from(kept * TENTH);
            Ok((is_owned && is_kept).then_some(()))
        })
        .await
    }
}

fn put_in() -> Vec<u8> {
    calldata("counterDeposit(bool)", &[U256::ZERO])
}

fn replied(answer: &Answer) -> Result<(ReplyCode, u128)> {
    match answer {
        Answer::Replied { code, value, .. } => Ok((*code, *value)),
        other => anyhow::bail!("no reply: {other:?}"),
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_deposit_pays_for_native_messages_once_and_comes_back() -> Result<()> {
    let mut world = World::start(Options::default()).await?;
    let (first, _) = world.wallet.head().await?;
    let too_much = "the sender's deposit is less than the value";
    let reason = |answer: &Value| answer["Reject"]["reason"].to_string();

    // Without a deposit, in our form and in that of existing clients.
    let poor = world.message(&put_in(), 1, SigningForm::Typed).await?;
    let answer = world.user.send(&poor).await?;
    ensure!(reason(&answer).contains(too_much), "{answer}");
    let poor = world.message(&put_in(), 1, SigningForm::Versioned).await?;
    let error = world
        .user
        .send(&poor)
        .await
        .map_err(|error| error.to_string());
    ensure!(
        error
            .as_ref()
            .is_err_and(|error| error.contains("non-zero value")),
        "{error:?}"
    );

    // What fits is spent, and what it leaves is all there is for the next.
    world.put(10).await?;
    let signed = world.message(&put_in(), 6, SigningForm::Typed).await?;
    assert_eq!(world.user.send(&signed).await?, json!("Accept"));
    let again = world.message(&put_in(), 6, SigningForm::Typed).await?;
    let answer = world.user.send(&again).await?;
    ensure!(reason(&answer).contains(too_much), "{answer}");
    let answer = world.user.ask(&signed).await?;
    assert_eq!(replied(&answer)?, (ReplyCode::SUCCESS_MANUAL, 0));
    world.has(4 * TENTH).await?;
    world.settled(6, 4).await?;

    // The forms of existing clients can bring value as well.
    let signed = world.message(&put_in(), 1, SigningForm::Versioned).await?;
    let answer = world.user.ask(&signed).await?;
    assert_eq!(replied(&answer)?, (ReplyCode::SUCCESS_MANUAL, 0));
    world.has(3 * TENTH).await?;

    // A method that takes no value fails, and the value comes back.
    let add = calldata("counterAdd(bool,uint32)", &[U256::ZERO, U256::from(1)]);
    let signed = world.message(&add, 2, SigningForm::Typed).await?;
    let answer = world.user.ask(&signed).await?;
    assert_eq!(replied(&answer)?, (ReplyCode::USERSPACE_PANIC, 2 * TENTH));
    world.has(3 * TENTH).await?;
    world.settled(7, 3).await?;

    // What is left is withdrawn: less than there is, and then more.
    let router = world.wallet.router;
    for (amount, paid) in [(1, 1), (9, 2)] {
        let request = Router::requestWithdrawalCall {
            amount: amount * TENTH,
        };
        let receipt = world.wallet.transact(call(router, &request)).await?;
        let asked = receipt
            .decoded_log::<Router::WithdrawalRequested>()
            .context("nothing was asked for")?;
        let withdrawn = eventually("the withdrawal is paid", || async {
            let all = world.wallet.events::<Router::Withdrawn>(router).await?;
            Ok(all.into_iter().find(|(own, _)| own.id == asked.id))
        })
        .await?;
        assert_eq!(withdrawn.0.value, paid * TENTH);
        assert_eq!(withdrawn.0.account, world.wallet.address);
    }
    world.has(0).await?;
    world.settled(7, 0).await?;
    let late = world.message(&put_in(), 1, SigningForm::Typed).await?;
    let answer = world.user.send(&late).await?;
    ensure!(reason(&answer).contains(too_much), "{answer}");

    // No wei came from nowhere or went there.
    let blocks = ledger::check(&world.wallet, &[world.counter], &[], first).await?;
    ensure!(blocks > 3, "{blocks}");
    world.network.done();
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_a_deposit_has_paid_is_revoked_if_ethereum_takes_the_deposit_back() -> Result<()> {
    let mut world = World::start(Options {
        slots_in_an_epoch: 64,
        ..Options::default()
    })
    .await?;
    world.network.mine(80).await?;
    world.network.agrees().await?;
    let receipt = world.put(10).await?;
    let signed = world.message(&put_in(), 8, SigningForm::Typed).await?;
    let id: H256 = signed.id(&world.user.domain).0;
    let url = world.url();
    let mut life = Life::follow(&url, id, None).await?;
    assert_eq!(world.user.send(&signed).await?, json!("Accept"));
    let before = ["waiting", "executed", "certified", "finalized", "committed"];
    let before = life.levels(&before).await?;
    assert_eq!(before[1]["receipt"]["code"], "0x00010000");
    world.settled(8, 2).await?;

    // The winning branch has no deposit.
    let block = receipt.block_number.context("not mined")?;
    world.network.reorg(block, Vec::new()).await?;
    world.network.agrees().await?;
    let after = life.levels(&["superseded", "executed"]).await?;
    assert_eq!(after[0]["block"], before[1]["block"]);
    assert_eq!(after[1]["receipt"]["code"], "0x01040000");
    assert_eq!(after[1]["receipt"]["value"], 0);
    world.has(0).await?;
    world.settled(0, 0).await?;

    // It is not executed again when there is a deposit once more: it has ended.
    world.put(5).await?;
    let next = world.message(&put_in(), 5, SigningForm::Typed).await?;
    let answer = world.user.ask(&next).await?;
    assert_eq!(replied(&answer)?, (ReplyCode::SUCCESS_MANUAL, 0));
    world.has(0).await?;
    world.settled(5, 0).await?;
    let address = H160(world.wallet.address.into_array());
    assert_eq!(world.user.address, address);
    world.network.done();
    Ok(())
}
