//! A turn of the era on the whole path: VARA and vaults on Symbiotic's own contracts decide who validates, the Router
//! follows, nothing stops meanwhile, and whoever is out can sign no more. What programs have paid goes to those who secured
//! the network, in both assets, and is taken on Ethereum.

use alloy::{
    network::TransactionBuilder,
    primitives::{Address, U256},
    providers::Provider,
    rpc::types::TransactionRequest,
};
use anyhow::{Context, Result, ensure};
use codec::{Decode, Encode};
use gear_exe_ethereum::{
    abi::{Middleware, WrappedVara},
    batch,
    client::{RouterClient, Transaction},
    revert::Revert,
};
use gear_exe_primitives::{
    H160, H256,
    quorum::{Member, bitmap},
    rewards::RewardProof,
    runtime_api::ReadyBatch,
    signature::CompactSignature,
};
use gear_exe_programs::COUNTER;
use gear_exe_relayer::{Chain as _, RpcChain};
use gear_exe_runtime::{AccountId, Runtime, RuntimeEvent, SessionKeys, UNITS};
use gear_exe_tests::{
    chain::{Chain, History, refusal},
    restaked::refused,
    validators::{Settings, VALIDATORS, Validators, applied, ethereum_key, sign},
    wallet::{Wallet, calldata, eventually},
};
use jsonrpsee::rpc_params;
use pallet_rewards::{Credits, Event as Rewarded, Pots};
use polkadot_sdk::{
    pallet_session, pallet_staking, sp_keyring::Sr25519Keyring, sp_runtime::Perbill,
};
use serde_json::json;
use std::time::Duration;

use Sr25519Keyring::{Alice, Bob, Charlie, Dave, Eve};

/// Wrapped ETH in each vault, in wei.
const STAKE: u128 = 2_000 * 1_000_000_000_000_000_000;
/// VARA of Eve's, who has less than any validator of the preset.
const BOND: u128 = 90_000 * UNITS;

fn add() -> Vec<u8> {
    calldata("counterAdd(bool,uint32)", &[U256::ZERO, U256::from(1)])
}

fn address(who: Sr25519Keyring) -> Result<H160> {
    Ok(H160(ethereum_key(who)?.address().into_array()))
}

/// Eve's node makes keys, Eve's account names them, bonds, and wants to validate. Returns her Ethereum signer.
async fn stand(chain: &Chain, node: &Chain) -> Result<H160> {
    let owner = format!("0x{}", hex::encode(Eve.to_raw_public()));
    let made = node
        .ask("author_rotateKeysWithOwner", rpc_params![owner])
        .await?;
    let read = |field: &str| -> Result<Vec<u8>> {
        let text = made[field].as_str().context("no keys")?;
        Ok(hex::decode(text.trim_start_matches("0x"))?)
    };
    let keys = SessionKeys::decode(&mut &read("keys")?[..])?;
    let signer = gear_exe_primitives::host::address_of(&keys.ethereum).context("no address")?;
    let bond = pallet_staking::Call::bond {
        value: BOND,
        payee: pallet_staking::RewardDestination::Stash,
    };
    chain.send(Eve, bond).await?;
    let set_keys = pallet_session::Call::set_keys {
        keys,
        proof: read("proof")?,
    };
    chain.send(Eve, set_keys).await?;
    let validate = pallet_staking::Call::validate {
        prefs: Default::default(),
    };
    chain.send(Eve, validate).await?;
    Ok(signer)
}

/// The next batch, which is signed and which nobody carries, of this set or a later one.
async fn ready(user: &Wallet, relay: &RpcChain, set_id: u64) -> Result<ReadyBatch> {
    // What a relayer has sent before it ended is mined with one of the next blocks.
    let (head, _) = user.head().await?;
    eventually("Ethereum goes on", || async {
        Ok((user.head().await?.0 > head + 1).then_some(()))
    })
    .await?;
    let next = applied(user).await?.last().map_or(1, |last| last.nonce + 1);
    eventually("a batch of the new set is signed", || async {
        let ready = relay.ready().await?;
        Ok(ready
            .into_iter()
            .find(|batch| batch.header.set_id >= set_id && batch.header.nonce == next))
    })
    .await
}

/// Whoever is in no set can sign nothing for it: the chain refuses.
async fn chain_refuses(chain: &Chain, of: &ReadyBatch) -> Result<()> {
    let domain = chain.domain().await?;
    for (validator, set_id, expected) in [
        (0, of.header.set_id, 5),
        (1, of.header.set_id, 5),
        (2, of.header.set_id, 5),
        (3, of.header.set_id, 5),
        (4, of.header.set_id, 2),
        (3, of.header.set_id - 1, 6),
    ] {
        let mut header = of.header;
        header.set_id = set_id;
        // Nobody has said this yet.
        header.content = H256::repeat_byte(0xda);
        let signature = sign(Dave, header.digest(&domain))?;
        let vote = pallet_settlement::Call::<Runtime>::submit_batch_signature {
            header,
            validator,
            signature,
        };
        let refused = chain.authorised(vote).await;
        let error = refused.err().context("Dave's signature was taken")?;
        assert_eq!(refusal(&error)?, expected, "{error:?}");
    }
    Ok(())
}

/// And so does the Router, whether the signature takes another's place or comes on top. As it is, it takes the batch.
async fn router_refuses(user: &Wallet, relay: &RpcChain, of: &ReadyBatch) -> Result<()> {
    let body = relay.body(of.digest).await?.context("no body")?;
    let daves = sign(Dave, of.digest)?;
    let ask = |signers: Vec<u8>, signatures: Vec<CompactSignature>| {
        let signatures: Vec<u8> = signatures.iter().flat_map(|one| one.0).collect();
        let request = TransactionRequest::default()
            .with_to(user.router)
            .with_input(batch::calldata(&body, &signers, &signatures))
            .with_gas_limit(16_000_000);
        async move {
            match user.provider.call(request).await {
                Ok(_) => anyhow::Ok(String::new()),
                Err(error) => {
                    let payload = error.as_error_resp().context("no answer")?;
                    let data = payload.as_revert_data().context("no reason")?;
                    Ok(Revert::decode(&data).name)
                }
            }
        }
    };
    let honest = of.signatures.clone();
    assert_eq!(ask(of.signers.clone(), honest.clone()).await?, "");
    for place in 0..honest.len() {
        let mut signatures = honest.clone();
        signatures[place] = daves;
        assert_eq!(
            ask(of.signers.clone(), signatures).await?,
            "InvalidSignature"
        );
    }
    let mut signatures = honest;
    signatures.push(daves);
    let mut signers = of.signers.clone();
    signers[0] |= bitmap([4])[0];
    assert_eq!(ask(signers, signatures).await?, "InvalidSignaturesLength");
    Ok(())
}

/// wVARA of an address, in base units.
async fn wrapped(network: &Validators, of: Address) -> Result<u128> {
    let question = WrappedVara::balanceOfCall { account: of };
    let ethereum = network.ethereum(6).await?;
    let held = ethereum
        .call(network.deployment.wrapped_vara, &question)
        .await?;
    Ok(u128::try_from(held)?)
}

/// The proof of a claim, as the chain gives it to anybody who asks.
async fn proof(chain: &Chain, era: u32, to: Address) -> Result<RewardProof> {
    let question = format!("0x{}", hex::encode((era, H160(to.into_array())).encode()));
    let answer = chain
        .ask("state_call", rpc_params!["RewardsApi_proof", question])
        .await?;
    let bytes = hex::decode(
        answer
            .as_str()
            .context("no answer")?
            .trim_start_matches("0x"),
    )?;
    Option::<RewardProof>::decode(&mut &bytes[..])?.context("nothing was claimed")
}

/// What programs have paid, Alice earns with VARA: she claims it for an address, which has it paid on Ethereum. Once, and no
/// more than that.
async fn a_validator_claims(network: &Validators, history: &mut History) -> Result<()> {
    let chain = network.chain();
    let alice = Alice.to_account_id();
    let credit = || async {
        let key = Credits::<Runtime>::hashed_key_for(&alice);
        anyhow::Ok(chain.get::<u128>(key).await?.unwrap_or_default())
    };
    let earned = eventually("Alice has earned", || async {
        for era in 0..chain.era().await? {
            let key = Pots::<Runtime>::hashed_key_for(era, &alice);
            if chain.get::<pallet_rewards::Pot>(key).await?.is_some() {
                return Ok(Some(era));
            }
        }
        Ok(None)
    })
    .await?;
    // As a validator she has her part already; anybody has stakers credited, and she is one.
    let before = credit().await?;
    let page = pallet_rewards::Call::pay_stakers {
        validator: alice.clone(),
        era: earned,
        page: 0,
    };
    chain.send(Bob, page).await?;
    assert!(before > 0 && credit().await? > before);

    let to = Address::repeat_byte(0xa1);
    let claim = pallet_rewards::Call::claim {
        to: H160(to.into_array()),
    };
    let claimed = chain.send(Alice, claim).await?;
    let (amount, era) = claimed
        .iter()
        .find_map(|event| match event {
            RuntimeEvent::Rewards(Rewarded::Claimed { amount, era, .. }) => Some((*amount, *era)),
            _ => None,
        })
        .context("nothing is claimed")?;
    let all = history
        .first("the claims leave", |event| match event {
            RuntimeEvent::Rewards(Rewarded::ClaimsSent {
                era: of, amount, ..
            }) => (*of == era).then_some(*amount),
            _ => None,
        })
        .await?;
    assert_eq!(all, amount, "nobody else has claimed");
    let middleware = network.restaked()?.middleware;
    let ethereum = network.ethereum(6).await?;
    eventually("the Middleware has them", || async {
        let question = Middleware::eraRewardsCall { era };
        let held = ethereum.call(middleware, &question).await?;
        Ok((held.operatorsTotal == amount).then_some(()))
    })
    .await?;
    let proof = proof(chain, era, to).await?;
    let pay = |amount| Middleware::claimOperatorRewardCall {
        era,
        operator: to,
        amount,
        index: proof.index,
        count: proof.count,
        proof: proof.siblings.iter().map(|one| one.0.into()).collect(),
    };
    let more = ethereum.call(middleware, &pay(amount + 1)).await;
    assert_eq!(refused(more), "InvalidProof");
    ethereum
        .send(Transaction::call("claiming", middleware, &pay(amount)))
        .await?;
    assert_eq!(wrapped(network, to).await?, amount);
    let again = ethereum.call(middleware, &pay(amount)).await;
    assert_eq!(refused(again), "NothingToClaim");
    Ok(())
}

/// And whoever has collateral in the vault behind her is paid by that.
async fn a_staker_of_a_vault_claims(network: &Validators, history: &mut History) -> Result<()> {
    let era = history
        .first("vaults earn", |event| match event {
            RuntimeEvent::Rewards(Rewarded::VaultsSent { era, .. }) => Some(*era),
            _ => None,
        })
        .await?;
    let restaked = network.restaked()?;
    let vault = restaked.vault(Alice)?.address;
    let staker = network.ethereum(restaked.account(Alice)?).await?;
    let given = eventually("the vault has its part", || async {
        let question = Middleware::vaultRewardsCall { era, vault };
        let given = staker.call(restaked.middleware, &question).await?;
        Ok((given.amount > 0).then_some(given.amount))
    })
    .await?;
    let recipient = Address::repeat_byte(0xa2);
    let claim = Middleware::claimStakerRewardCall {
        era,
        vault,
        recipient,
    };
    let stranger = network.ethereum(6).await?;
    let nothing = stranger.call(restaked.middleware, &claim).await;
    assert_eq!(refused(nothing), "NothingToClaim");
    staker
        .send(Transaction::call("claiming", restaked.middleware, &claim))
        .await?;
    assert_eq!(
        wrapped(network, recipient).await?,
        given,
        "all that is in the vault is this staker's"
    );
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn stake_in_both_assets_decides_who_validates_and_earns_and_the_router_follows() -> Result<()>
{
    let mut network = Validators::start(Settings {
        vaults: [Alice, Bob, Charlie, Eve].map(|who| (who, STAKE)).to_vec(),
        // A few messages cost less than what is worth a claim elsewhere.
        patch: json!({ "parametersInForce": { "rewards": { "min_claim": 1 } } }),
        ..Settings::default()
    })
    .await?;
    network.start_node("Eve", &["--validator"]).await?;
    let chain = network.chain().clone();
    let mut history = network.follow().await?;
    let user = network.user(6)?;
    let code = user.upload(COUNTER).await?;
    let create = calldata("create(bool,uint32)", &[U256::ZERO, U256::ZERO]);
    let counter = user.program(code, 0, 1_000, &create).await?;
    let (signer, ()) = tokio::try_join!(
        stand(&chain, &network.nodes[4].chain),
        network.bind(Perbill::from_percent(10)),
    )?;

    // The four nodes have read the vaults, and agree.
    let (era, total) = history
        .first("a snapshot of the vaults", |event| match event {
            RuntimeEvent::Restaking(pallet_restaking::Event::SnapshotAccepted { era, total })
                if *total > 0 =>
            {
                Some((*era, *total))
            }
            _ => None,
        })
        .await?;
    assert_eq!(total, 4 * STAKE / 10 * 9);
    let record = history
        .first("an election over both", |event| match event {
            RuntimeEvent::ValidatorElection(pallet_validator_election::Event::Elected {
                era: elected,
                record,
                ..
            }) if *elected == era => Some(*record),
            _ => None,
        })
        .await?;
    assert_eq!((record.vara_only, record.eth), (None, total));
    let exposures: Vec<pallet_validator_election::ValidatorExposure<AccountId>> = chain
        .get(pallet_validator_election::Exposures::<Runtime>::hashed_key_for(era))
        .await?
        .context("no exposures")?;
    let elected = |who: Sr25519Keyring| {
        let account = who.to_account_id();
        exposures
            .iter()
            .find(|exposure| exposure.validator == account)
    };
    assert_eq!(exposures.len(), VALIDATORS.len());
    let eve = elected(Eve).context("Eve is not elected")?;
    assert_eq!(
        (eve.vara, eve.eth),
        (BOND, total / 4),
        "with less VARA than Dave, who has no ETH"
    );
    assert!(elected(Dave).is_none() && eve.eth_votes > 10_000 * UNITS);

    // The set changes, and what comes meanwhile is answered.
    let dave = address(Dave)?;
    let is_new = |members: &[Member]| {
        let has = |one: H160| members.iter().any(|member| member.address == one);
        has(signer) && !has(dave)
    };
    let set_id = loop {
        let (block, set_id) = history
            .next("the set changes", |event| match event {
                RuntimeEvent::Settlement(pallet_settlement::Event::SetChanged { set_id }) => {
                    Some(*set_id)
                }
                _ => None,
            })
            .await?;
        let key = pallet_settlement::Sets::<Runtime>::hashed_key_for(set_id);
        let members: Vec<Member> = chain.get_at(block, key).await?.context("no set")?;
        // Weights may change before, where a validator was away.
        if is_new(&members) {
            break set_id;
        }
    };
    let during = user.send(counter, &add(), 0).await?;
    let router = RouterClient::new(network.ethereum(6).await?, user.router);
    // On a slow machine another set, with other weights, may have come by now.
    let (held, members) = eventually("the Router follows", || async {
        let (held, members) = router.validators().await?;
        Ok((held >= set_id).then_some((held, members)))
    })
    .await?;
    assert!(is_new(&members), "{members:?}");
    assert_eq!(user.reply(&during).await?.code, [0, 1, 0, 0]);
    let after = user.ask(counter, &add()).await?;
    assert_eq!(U256::from_be_slice(&after.payload), U256::from(2));

    // Batches went on across the change: one after the other, first of the old set, then of the new one.
    let batches = applied(&user).await?;
    for (batch, nonce) in batches.iter().zip(1..) {
        ensure!(batch.nonce == nonce && batch.signers >= 3, "{batches:?}");
    }
    let (first, last) = (batches.first(), batches.last());
    assert_eq!(first.map(|batch| batch.set_id), Some(1), "{batches:?}");
    assert!(
        last.is_some_and(|batch| batch.set_id >= held),
        "{batches:?}"
    );

    // Dave has lost his place: he signs nothing that counts.
    network.kill_relayer()?;
    let sent = user.send(counter, &add(), 0).await?;
    let relay = RpcChain::new(network.node_url(), Duration::from_secs(10));
    let of = ready(&user, &relay, held).await?;
    chain_refuses(&chain, &of).await?;
    router_refuses(&user, &relay, &of).await?;
    network.start_relayer()?;
    let reply = user.reply(&sent).await?;
    assert_eq!(U256::from_be_slice(&reply.payload), U256::from(3));

    a_validator_claims(&network, &mut history).await?;
    a_staker_of_a_vault_claims(&network, &mut history).await?;
    network.done();
    Ok(())
}
