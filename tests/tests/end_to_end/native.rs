//! Native messages on four validators: a user signs with an Ethereum key, sends to any node, and has an answer that a quorum
//! of the Router's validators stands behind.

use alloy::{
    network::TransactionBuilder,
    primitives::{Address, B256, U256},
};
use anyhow::Result;
use gear_exe_ethereum::{abi::Router, client::RouterClient};
use gear_exe_primitives::{
    H256,
    message::ReplyCode,
    native::{NativeTransaction, PurgeReason, SigningForm},
};
use gear_exe_programs::COUNTER;
use gear_exe_tests::{
    native::{Answer, Native},
    validators::{Settings, Validators},
    wallet::{call, calldata, eventually},
};
use serde_json::json;

const SECRET: [u8; 32] = [0x42; 32];

fn add(value: u32) -> Vec<u8> {
    calldata("counterAdd(bool,uint32)", &[U256::ZERO, U256::from(value)])
}

fn value(answer: &Answer) -> Result<U256> {
    match answer {
        Answer::Replied {
            payload,
            code: ReplyCode::SUCCESS_MANUAL,
            ..
        } => Ok(U256::from_be_slice(payload)),
        other => anyhow::bail!("no value: {other:?}"),
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_signed_message_is_answered_by_a_quorum_without_ethereum() -> Result<()> {
    let mut network = Validators::start(Settings::default()).await?;
    let user = network.user(6)?;
    let code = user.upload(COUNTER).await?;
    let create = calldata("create(bool,uint32)", &[U256::ZERO, U256::ZERO]);
    let counter = user.program(code, 0, 1_000, &create).await?;
    let domain = network.chain().domain().await?;
    let mut at = Vec::new();
    for node in 0..4 {
        at.push(Native::connect(&network.url_of(node), SECRET, domain).await?);
    }
    let (_, members) = RouterClient::new(network.ethereum(6).await?, user.router)
        .validators()
        .await?;

    // Typed data, to the first node: the answer is told by its receipt, and proven by what every other node has as well.
    let first = at[0].transaction(&user, counter, &add(5), 1).await?;
    let first = at[0].sign(first, SigningForm::Typed)?;
    let id = first.id(&domain);
    let answer = at[0].ask(&first).await?;
    assert_eq!(value(&answer)?, U256::from(5));
    let Answer::Replied { signer, .. } = answer else {
        anyhow::bail!("no signer")
    };
    assert!(members.iter().any(|member| member.address == signer));
    for node in &at {
        let (certificate, proof) = node.certificate(id).await?;
        let genesis = network.chain().genesis();
        assert_eq!(certificate.verify(genesis, &domain, &members), Ok(()));
        assert!(proof.is_certified_by(&certificate));
        assert!(certificate.signatures.len() >= 3);
    }

    // Sent to every node, also twice, it is executed once. In the form of existing clients, the reply also comes to Ethereum.
    let second = at[1].transaction(&user, counter, &add(7), 2).await?;
    let second = at[1].sign(second, SigningForm::Versioned)?;
    let id = second.id(&domain);
    for node in at.iter().chain(&at) {
        assert_eq!(node.send(&second).await?, json!("Accept"));
    }
    assert_eq!(value(&at[2].ask(&second).await?)?, U256::from(12));
    assert_eq!(value(&at[3].ask(&second).await?)?, U256::from(12));
    let replied = eventually("the reply is on Ethereum", || async {
        let replies = user.replies(counter, B256::from(id.0.0)).await?;
        Ok(replies.into_iter().next())
    })
    .await?;
    assert_eq!(U256::from_be_slice(&replied.payload), U256::from(12));

    // Every refusal has a reason.
    let nowhere = at[0]
        .transaction(&user, Address::repeat_byte(9), &add(1), 3)
        .await?;
    let nowhere = at[0].sign(nowhere, SigningForm::Typed)?;
    assert_eq!(
        at[0].send(&nowhere).await?,
        json!({ "Reject": { "reason": "there is no program with this address" } })
    );
    assert_eq!(
        at[0].ask(&nowhere).await?,
        Answer::Purged(PurgeReason::UnknownDestination as u8)
    );
    let unknown = NativeTransaction {
        reference_block: H256::repeat_byte(1),
        ..at[0].transaction(&user, counter, &add(1), 4).await?
    };
    let unknown = at[0].sign(unknown, SigningForm::Versioned)?;
    assert_eq!(
        at[0].ask(&unknown).await?,
        Answer::Purged(PurgeReason::UnknownReferenceBlock as u8)
    );

    // A deposit is spent once, whichever nodes are told: what one of them does not know yet, the round does.
    let account = Address::from(at[0].address.0);
    let deposit = call(user.router, &Router::depositForCall { account });
    user.transact(deposit.with_value(U256::from(10))).await?;
    for node in &at {
        eventually("the node knows the deposit", || async {
            Ok((node.client.deposit(node.address).await? == 10).then_some(()))
        })
        .await?;
    }
    let put_in = calldata("counterDeposit(bool)", &[U256::ZERO]);
    let mut both = Vec::new();
    for salt in [6, 7] {
        let mut message = at[0].transaction(&user, counter, &put_in, salt).await?;
        message.value = 6;
        both.push(at[0].sign(message, SigningForm::Typed)?);
    }
    let (one, other) = tokio::join!(at[0].ask(&both[0]), at[1].ask(&both[1]));
    let answers = [one?, other?];
    let spent = answers.iter().filter(|answer| value(answer).is_ok());
    assert_eq!(spent.count(), 1, "{answers:?}");
    let refused = answers.iter().filter(|answer| match answer {
        Answer::Purged(reason) => *reason == PurgeReason::InsufficientDeposit as u8,
        Answer::Replied { code, .. } => *code == ReplyCode::INSUFFICIENT_DEPOSIT,
    });
    assert_eq!(refused.count(), 1, "{answers:?}");
    for node in &at {
        eventually("the deposit is spent", || async {
            Ok((node.client.deposit(node.address).await? == 4).then_some(()))
        })
        .await?;
    }

    // Three go on without the fourth.
    network.nodes[3].kill()?;
    let third = at[2].transaction(&user, counter, &add(1), 5).await?;
    let third = at[2].sign(third, SigningForm::Legacy)?;
    assert_eq!(value(&at[2].ask(&third).await?)?, U256::from(13));
    let (certificate, _) = at[0].certificate(third.id(&domain)).await?;
    assert_eq!(certificate.signatures.len(), 3);
    network.done();
    Ok(())
}
