//! A slash on the whole path: validators sign two digests for one seal, the chain proves it by itself, and what each
//! loses is taken in both assets, or is not.
//!
//! * Dave loses VARA and, after the veto phase, what his vault must give.
//! * Charlie's slash is cancelled by a referendum before it leaves the chain: nothing falls.
//! * Alice's has left; governance cancels it, and Ethereum vetoes it: nothing falls.
//! * Bob's is executed by nobody until his vault owes nothing any more: Ethereum says so.
//! * Alice offends again when there is no time left to reach a vault: the chain says so.

use alloy::primitives::U256;
use anyhow::{Context, Result};
use codec::Encode;
use gear_exe_ethereum::{abi::Middleware, client::Transaction};
use gear_exe_primitives::{
    H256,
    batch::BatchHeader,
    evidence::{DoubleSign, SealStatement, SignedStatement},
    quorum::Member,
    signature::CompactSignature,
    vote::EmptyBatch,
};
use gear_exe_programs::COUNTER;
use gear_exe_runtime::{
    OriginCaller, Runtime, RuntimeCall, RuntimeEvent, UNITS,
    governance::origins,
    parameters::{RuntimeParameters, values::slashing},
};
use gear_exe_tests::{
    chain::{Chain, History},
    restaked::refused,
    validators::{SLASH_DEFERRAL, Settings, VALIDATORS, Validators, ethereum_key, sign},
    wallet::{calldata, eventually},
};
use pallet_settlement::{Seal, SealVote};
use pallet_slashing::{Event, Evidence, Expiry, State};
use polkadot_sdk::{
    frame_support::{
        BoundedVec,
        traits::{Bounded, schedule::DispatchTime},
    },
    pallet_conviction_voting::{self, AccountVote, Conviction, Vote},
    pallet_parameters, pallet_referenda, pallet_staking, pallet_utility,
    sp_keyring::Sr25519Keyring,
    sp_runtime::Perbill,
};
use serde_json::json;
use std::collections::BTreeSet;

use Sr25519Keyring::{Alice, Bob, Charlie, Dave};

/// Wrapped ETH in each vault, in wei.
const STAKE: u128 = 100 * 1_000_000_000_000_000_000;
/// VARA of each validator of the preset, in base units.
const BOND: u128 = 100_000 * UNITS;
/// One of four alone: `(3 · 1 / 4)²`.
const FRACTION: Perbill = Perbill::from_parts(562_500_000);
/// Blocks for which a slash of ETH waits on the chain.
const DEFERRAL: u32 = 100;
/// Seconds that a slash is given from the outbox to the vault.
const RELAY: u64 = 300;
/// Seconds that the vault is given from then on.
const EXECUTION: u64 = 600;
/// Seconds between a capture and the end of the era whose stake it says, at most: three eras.
const CAPTURE_AGE: u64 = 60;
/// How the Middleware says where a slash is: it knows of none, it has been executed, it has been cancelled.
const NONE: u8 = 0;
const EXECUTED: u8 = 2;
const CANCELLED: u8 = 3;

fn add() -> Vec<u8> {
    calldata("counterAdd(bool,uint32)", &[U256::ZERO, U256::from(1)])
}

/// A batch that somebody has signed.
type SignedBatch = (BatchHeader, CompactSignature);

/// A validator's word on a seal.
struct Said {
    number: u64,
    seal: Seal,
    validator: u32,
    vote: SealVote,
}

/// The newest seal of the validator set `set` or a later one, none of `but`, on which `who` has said something that `fits`.
async fn said(
    chain: &Chain,
    who: Sr25519Keyring,
    set: u64,
    but: &BTreeSet<u64>,
    fits: impl Fn(&SealVote) -> bool,
) -> Result<Said> {
    let own = ethereum_key(who)?.address();
    eventually("a validator's vote", || async {
        let numbers: Vec<u64> = chain
            .get(pallet_settlement::SealNumbers::<Runtime>::hashed_key())
            .await?
            .unwrap_or_default();
        let free = numbers
            .into_iter()
            .rev()
            .filter(|number| !but.contains(number));
        for number in free {
            let seal: Seal = chain
                .get(pallet_settlement::Seals::<Runtime>::hashed_key_for(number))
                .await?
                .context("no seal")?;
            if seal.set_id < set {
                break;
            }
            let key = pallet_settlement::Sets::<Runtime>::hashed_key_for(seal.set_id);
            // Sets are forgotten once a later one signs for good.
            let Some(members) = chain.get::<Vec<Member>>(key).await? else {
                continue;
            };
            let index = members
                .iter()
                .position(|member| member.address.0 == own.0.0)
                .context("no member")?;
            let validator = u32::try_from(index)?;
            let key = pallet_settlement::Votes::<Runtime>::hashed_key_for(number, validator);
            if let Some(vote) = chain.get::<SealVote>(key).await?.filter(&fits) {
                return Ok(Some(Said {
                    number,
                    seal,
                    validator,
                    vote,
                }));
            }
        }
        Ok(None)
    })
    .await
}

/// The set that votes now.
async fn current_set(chain: &Chain) -> Result<u64> {
    let key = pallet_settlement::CurrentSet::<Runtime>::hashed_key();
    Ok(chain.get(key).await?.unwrap_or_default())
}

/// Another batch than `who` has signed for the seal, with its signature.
async fn another(node: &Chain, who: Sr25519Keyring, said: &Said) -> Result<SignedBatch> {
    let Said { number, seal, .. } = said;
    let header = BatchHeader {
        genesis: node.genesis(),
        seal_number: *number,
        seal_hash: seal.hash,
        last_round: *number,
        last_round_hash: seal.hash,
        nonce: seal.router.nonce + 1,
        parent: seal.router.digest,
        anchor_number: seal.anchor.number,
        anchor_hash: seal.anchor.hash,
        set_id: seal.set_id,
        content: H256::repeat_byte(0xbd),
        expiry: seal.expiry,
    };
    let digest = header.digest(&node.domain().await?);
    assert_ne!(digest, said.vote.digest);
    Ok((header, sign(who, digest)?))
}

/// `who` signs another batch for a seal that it has signed already, and `node` gets it: the only thing that anybody does.
async fn contradict(node: &Chain, who: Sr25519Keyring, said: &Said) -> Result<()> {
    let (header, signature) = another(node, who, said).await?;
    node.authorised(pallet_settlement::Call::<Runtime>::submit_batch_signature {
        header,
        validator: said.validator,
        signature,
    })
    .await
}

/// The same, long after: both signatures are brought as evidence, when nobody signs in the name of that set any more.
async fn report(node: &Chain, who: Sr25519Keyring, said: &Said) -> Result<()> {
    let statement = if said.vote.empty {
        SealStatement::Empty(EmptyBatch {
            set_id: said.seal.set_id,
            seal_number: said.number,
            seal_hash: said.seal.hash,
        })
    } else {
        let digest = said.vote.digest;
        let key = pallet_settlement::Proposals::<Runtime>::hashed_key_for(said.number, digest);
        SealStatement::Batch(node.get(key).await?.context("the seal is forgotten")?)
    };
    let (header, signature) = another(node, who, said).await?;
    let evidence = Evidence::DoubleSign(DoubleSign {
        first: SignedStatement {
            statement,
            signature: said.vote.signature,
        },
        second: SignedStatement {
            statement: SealStatement::Batch(header),
            signature,
        },
    });
    node.authorised(pallet_slashing::Call::<Runtime>::report_unsigned {
        evidence: Box::new(evidence),
    })
    .await
}

/// A slash of ETH, as the chain announced it.
#[derive(Clone, Copy, Debug, PartialEq)]
struct Deferred {
    id: u64,
    era: u32,
    fraction: Perbill,
    approved: bool,
}

/// The slash of `who` that the chain has announced from block `from` on.
async fn deferred(history: &mut History, who: Sr25519Keyring, from: u64) -> Result<Deferred> {
    let account = who.to_account_id();
    history
        .first(&format!("a slash of {who}"), |event| match event {
            RuntimeEvent::Slashing(Event::SlashDeferred {
                id,
                validator,
                era,
                kind,
                fraction,
                approved,
                due,
                ..
            }) if *validator == account && *due > from + u64::from(DEFERRAL) => {
                assert_eq!(kind, b"gexe:double-sign");
                Some(Deferred {
                    id: *id,
                    era: *era,
                    fraction: *fraction,
                    approved: *approved,
                })
            }
            _ => None,
        })
        .await
}

async fn vara(chain: &Chain, who: Sr25519Keyring) -> Result<u128> {
    let key = pallet_staking::Ledger::<Runtime>::hashed_key_for(who.to_account_id());
    let ledger: pallet_staking::StakingLedger<Runtime> =
        chain.get(key).await?.context("no ledger")?;
    Ok(ledger.total)
}

/// A referendum on the track of the slash canceller, with enough votes to pass.
async fn vote_against(chain: &Chain, id: u64) -> Result<()> {
    let proposal: RuntimeCall = pallet_slashing::Call::cancel { id }.into();
    let index: u32 = chain
        .get(pallet_referenda::ReferendumCount::<Runtime>::hashed_key())
        .await?
        .unwrap_or_default();
    let vote = || pallet_conviction_voting::Call::vote {
        poll_index: index,
        vote: AccountVote::Standard {
            vote: Vote {
                aye: true,
                conviction: Conviction::Locked1x,
            },
            balance: 900_000 * UNITS,
        },
    };
    let calls: Vec<RuntimeCall> = vec![
        pallet_referenda::Call::submit {
            proposal_origin: Box::new(OriginCaller::Origins(origins::Origin::SlashCanceller)),
            proposal: Bounded::Inline(BoundedVec::truncate_from(proposal.encode())),
            enactment_moment: DispatchTime::After(0),
        }
        .into(),
        pallet_referenda::Call::place_decision_deposit { index }.into(),
        vote().into(),
    ];
    let batch = pallet_utility::Call::batch_all { calls };
    chain.send(Sr25519Keyring::Ferdie, batch).await?;
    // A tenth of all VARA must support it.
    chain.send(Sr25519Keyring::Eve, vote()).await.map(drop)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_double_signature_costs_both_assets_unless_it_is_cancelled_or_late() -> Result<()> {
    let settings = Settings {
        vaults: VALIDATORS.map(|who| (who, STAKE)).to_vec(),
        patch: json!({ "parametersInForce": { "slashing": {
            "deferral": DEFERRAL, "window": 3_000, "relay": RELAY, "execution": EXECUTION, "reporting": 600,
        } } }),
        ..Settings::default()
    };
    let windows = settings.windows;
    let network = Validators::start(settings).await?;
    let chain = network.chain().clone();
    let mut history = network.follow().await?;
    let user = network.user(6)?;
    let anybody = network.ethereum(7).await?;
    let restaked = network.restaked()?.clone();
    let held = async |who| {
        let vault = *restaked.vault(who)?;
        restaked.symbiotic.held(&anybody, &vault).await
    };
    let program = async {
        let code = user.upload(COUNTER).await?;
        let create = calldata("create(bool,uint32)", &[U256::ZERO, U256::ZERO]);
        user.program(code, 0, 1_000, &create).await
    };
    let ((), counter) = tokio::try_join!(network.bind(Perbill::zero()), program)?;
    let counted = history
        .first("a snapshot of the vaults", |event| match event {
            RuntimeEvent::Restaking(pallet_restaking::Event::SnapshotAccepted { era, total })
                if *total == 4 * STAKE =>
            {
                Some(*era)
            }
            _ => None,
        })
        .await?;
    chain.era_begins(counted).await?;
    let (begin, _) = chain.finalised().await?;
    // What an older set signs, while the Router has no other, belongs to the era before, in which no ETH counted.
    let set = current_set(&chain).await?;

    // Dave has signed a batch, and signs another for the same seal. The others have said that there is nothing to send,
    // and sign batches, each for another seal: they do not offend together.
    let sent = user.send(counter, &add(), 0).await?;
    let mut seals = BTreeSet::new();
    for (who, node) in [(Dave, 1), (Charlie, 0), (Bob, 3), (Alice, 2)] {
        let said = said(&chain, who, set, &seals, |vote| vote.empty == (who != Dave)).await?;
        seals.insert(said.number);
        contradict(&network.nodes[node].chain, who, &said).await?;
    }
    let mut slashes = Vec::new();
    for who in [Dave, Charlie, Bob, Alice] {
        let slash = deferred(&mut history, who, begin.into()).await?;
        assert_eq!((slash.fraction, slash.approved), (FRACTION, true));
        slashes.push(slash);
    }
    let [daves, charlies, bobs, alices] = slashes[..] else {
        unreachable!("there are four")
    };
    assert_eq!(user.reply(&sent).await?.code, [0, 1, 0, 0]);

    // A referendum saves Charlie, in both assets, while his slash waits.
    vote_against(&chain, charlies.id).await?;
    // And from the next era on there is no time for reports: what is not reported within its era is late.
    for key in [
        slashing::Parameters::Window(slashing::Window, Some(CAPTURE_AGE + RELAY + EXECUTION)),
        slashing::Parameters::Reporting(slashing::Reporting, Some(0)),
        slashing::Parameters::Deferral(slashing::Deferral, Some(1)),
    ] {
        let set = pallet_parameters::Call::set_parameter {
            key_value: RuntimeParameters::Slashing(key),
        };
        chain.sudo(set).await?;
    }
    let cancelled = |id: u64| {
        move |event: &RuntimeEvent| match event {
            RuntimeEvent::Slashing(Event::SlashCancelled {
                id: other,
                ethereum,
                vara,
            }) if *other == id => Some((*ethereum, *vara)),
            _ => None,
        }
    };
    let saved = history
        .first("the referendum passes", cancelled(charlies.id))
        .await?;
    assert_eq!(saved, (true, 1));

    // The other three leave for Ethereum. Governance cancels Alice's there.
    for slash in [daves, bobs, alices] {
        history
            .first("a slash is on Ethereum", |event| match event {
                RuntimeEvent::Slashing(Event::SlashRequested { id }) => {
                    (*id == slash.id).then_some(())
                }
                _ => None,
            })
            .await?;
    }
    chain
        .sudo(pallet_slashing::Call::cancel { id: alices.id })
        .await?;
    let saved = history
        .first("Alice's slash is cancelled", cancelled(alices.id))
        .await?;
    assert_eq!(saved, (true, 1));
    history
        .first("Ethereum has vetoed it", |event| match event {
            RuntimeEvent::Slashing(Event::SlashVetoed { id }) => (*id == alices.id).then_some(()),
            _ => None,
        })
        .await?;
    let info = async |id| {
        let info = Middleware::slashInfoCall { id };
        anybody.call(restaked.middleware, &info).await
    };
    let vetoed = info(alices.id).await?;
    assert_eq!(vetoed.state, CANCELLED);
    assert_eq!(info(charlies.id).await?.state, NONE);

    // Dave's is executed by anybody, but not before the time for a veto is over.
    let execute = |id| Middleware::executeSlashCall { id };
    let early = anybody.call(restaked.middleware, &execute(daves.id)).await;
    assert_eq!(refused(early), "VetoNotOver");
    for who in VALIDATORS {
        assert_eq!(held(who).await?, U256::from(STAKE), "{who}");
    }
    network.pass(windows.veto.into()).await?;
    let action = Transaction::call("executing", restaked.middleware, &execute(daves.id));
    anybody.send(action).await?;
    let amount = U256::from(STAKE) * U256::from(FRACTION.deconstruct()) / U256::from(10u64.pow(9));
    assert_eq!(held(Dave).await?, U256::from(STAKE) - amount);
    assert_eq!(restaked.symbiotic.burnt(&anybody).await?, amount);
    assert_eq!(info(daves.id).await?.state, EXECUTED);
    history
        .first(
            "the chain learns that the vault has paid",
            |event| match event {
                RuntimeEvent::Slashing(Event::SlashExecuted { id }) => {
                    (*id == daves.id).then_some(())
                }
                _ => None,
            },
        )
        .await?;
    for slash in [alices, charlies] {
        let answer = anybody.call(restaked.middleware, &execute(slash.id)).await;
        let name = refused(answer);
        assert!(
            ["SlashClosed", "UnknownSlash"].contains(&name.as_str()),
            "{name}"
        );
    }

    // Alice signs twice again.
    chain.era_begins(alices.era + 1).await?;
    let set = current_set(&chain).await?;
    let again = said(&chain, Alice, set, &seals, |_| true).await?;
    let era = chain.era().await?;

    // VARA falls when its deferral is over: Dave's and Bob's.
    let due = daves.era.max(bobs.era) + SLASH_DEFERRAL + 1;
    chain.era_begins(due).await?;
    let left = BOND - FRACTION * BOND;
    for (who, expected) in [(Dave, left), (Bob, left), (Charlie, BOND), (Alice, BOND)] {
        assert_eq!(vara(&chain, who).await?, expected, "{who}");
    }

    // What Alice did is reported when there is no time left: the chain says so, and tells Ethereum nothing.
    chain.era_begins(era + 3).await?;
    let (begin, _) = chain.finalised().await?;
    report(&network.nodes[1].chain, Alice, &again).await?;
    let since = u64::from(begin).saturating_sub(DEFERRAL.into());
    let second = deferred(&mut history, Alice, since).await?;
    let reason = history
        .first("the slash is too late", |event| match event {
            RuntimeEvent::Slashing(Event::SlashExpired { id, reason }) => {
                (*id == second.id).then_some(*reason)
            }
            _ => None,
        })
        .await?;
    assert_eq!(reason, Expiry::ReportedLate);

    // Nobody executes Bob's until it is too late: Ethereum says so, and his vault keeps everything.
    network.pass(windows.epoch.into()).await?;
    let expired = anybody.call(restaked.middleware, &execute(bobs.id)).await;
    assert_eq!(refused(expired), "SlashExpired");
    for (who, expected) in [
        (Alice, U256::from(STAKE)),
        (Bob, U256::from(STAKE)),
        (Charlie, U256::from(STAKE)),
        (Dave, U256::from(STAKE) - amount),
    ] {
        assert_eq!(held(who).await?, expected, "{who}");
    }
    let key = pallet_slashing::Slashes::<Runtime>::hashed_key_for(second.id);
    let slash: pallet_slashing::Slash<gear_exe_runtime::AccountId> =
        chain.get(key).await?.context("it is forgotten")?;
    assert_eq!(slash.state, State::Expired(Expiry::ReportedLate));
    let unknown = info(second.id).await?.state;
    assert_eq!(unknown, NONE);

    // Through all of it programs are served.
    let reply = user.ask(counter, &add()).await?;
    assert_eq!(U256::from_be_slice(&reply.payload), U256::from(2));
    network.done();
    Ok(())
}
