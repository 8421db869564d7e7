//! Wallet, contracts and batches on Anvil: what a developer and a relayer do, with validators whose keys the test has.

use crate::common::{Network, WVARA, options, signer};
use alloy::{
    primitives::{B256, U256},
    providers::ext::AnvilApi,
    rpc::types::Filter,
    sol,
    sol_types::{SolCall, SolEvent, SolValue},
};
use gear_exe_ethereum::{
    abi::Router,
    artifact::Artifact,
    blob::{BlobEndpoint, BlobError, BlobSource, CodeFault},
    client::{
        Approval, ClientError, CodeState, MirrorClient, NewProgram, Options, Transaction, Upload,
        Wallet,
    },
    convert::{address, b256, h160},
    dev::AnvilConfig,
    observer::{Observer, ObserverConfig},
};
use gear_exe_primitives::{
    CodeId, H256, MessageId,
    batch::AppliedBatch,
    creation::{MirrorFactory, ProgramCreation},
    ethereum::{EthereumBlock, EthereumEvent, MirrorEvent, RouterEvent},
    hashing::keccak256,
    message::{OutgoingMessage, ReplyCode, ReplyDetails},
    outbox::OutboxItem,
    transition::{StateTransition, ValueClaim},
};
use std::{
    sync::{Arc, Mutex},
    time::Duration,
};

sol! {
    function counterAdd(bool callReply, uint32 value) external payable returns (bytes32 messageId);
    function replyOn_counterAdd(bytes32 messageId, uint32 value) external;
    function add(uint32 value) external returns (bytes32 messageId);
    event Answered(bytes32 indexed messageId, uint32 value);
    event Failed(bytes32 indexed messageId, bytes4 replyCode, bytes payload);
}

const WASM: &[u8] = b"\0asm and what follows";

/// Reads blocks as a node does.
async fn observed(network: &Network, number: u64) -> EthereumBlock {
    let mut config = ObserverConfig::new(
        vec![network.anvil.http()],
        31337,
        network.router.domain().router,
    );
    config.poll = Duration::from_millis(20);
    config.start = Some(number);
    let (observer, mut events) = Observer::start(config);
    let hash = loop {
        match events.recv().await.unwrap() {
            gear_exe_ethereum::observer::ObserverEvent::Head(change) => {
                break change.added[0].hash;
            }
            other => assert!(!matches!(
                other,
                gear_exe_ethereum::observer::ObserverEvent::Alarm(_)
            )),
        }
    };
    observer.block(hash).await.unwrap()
}

async fn upload(network: &Network, wasm: &[u8]) -> Upload {
    let upload = network.router.upload_code(wasm).await.unwrap();
    assert_eq!(upload.code_id, CodeId::of(wasm));
    upload
}

fn result(upload: &Upload, valid: bool) -> OutboxItem {
    OutboxItem::CodeResult {
        code_id: upload.code_id,
        request_id: upload.request_id.unwrap(),
        valid,
    }
}

async fn validated(network: &Network) -> CodeId {
    let upload = upload(network, WASM).await;
    network
        .commit(Vec::new(), vec![result(&upload, true)])
        .await;
    network.router.wait_for_code(&upload).await.unwrap();
    upload.code_id
}

async fn program(network: &Network, salt: u64) -> MirrorClient {
    let new = NewProgram {
        code_id: validated(network).await,
        salt: H256::from_low_u64_be(salt),
        ..Default::default()
    };
    let address = network.router.create_program(new).await.unwrap();
    network.router.mirror(address)
}

fn transition(mirror: &MirrorClient, state: u64) -> StateTransition {
    StateTransition::new(mirror.actor_id(), H256::from_low_u64_be(state))
}

fn reply(to: MessageId, destination: H256, payload: &[u8], value: u128) -> OutgoingMessage {
    OutgoingMessage {
        id: MessageId::reply(to),
        destination: gear_exe_primitives::H160::from_slice(&destination.0[12..]),
        payload: payload.to_vec(),
        value,
        reply_details: Some(ReplyDetails {
            to,
            code: ReplyCode::SUCCESS_MANUAL,
        }),
        call: false,
    }
}

fn padded(address: alloy::primitives::Address) -> H256 {
    H256(address.into_word().0)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_code_from_blob_to_program() {
    let network = Network::start(AnvilConfig::default(), &[1]).await;
    let router = &network.router;
    assert_eq!(
        router.chain_genesis().await.unwrap(),
        crate::common::genesis()
    );
    assert_eq!(router.validators().await.unwrap().1.len(), 1);
    assert_eq!(
        router.last_batch().await.unwrap(),
        AppliedBatch {
            set_id: 1,
            ..Default::default()
        }
    );
    let fee = router.code_fee().await.unwrap();
    let token = router.token().await.unwrap();
    let before = token.balance_of(network.user.address()).await.unwrap();

    // Two blobs, and a zero at the end.
    let mut wasm: Vec<u8> = (0..130_000u32).map(|index| index as u8).collect();
    wasm.push(0);
    let id = CodeId::of(&wasm);
    assert_eq!(router.code_state(id).await.unwrap(), CodeState::Unknown);
    let uploaded = upload(&network, &wasm).await;
    assert_eq!(
        router.code_state(id).await.unwrap(),
        CodeState::ValidationRequested
    );
    assert_eq!(
        token.balance_of(network.user.address()).await.unwrap(),
        before - fee
    );

    // As a validator sees it.
    let block = observed(&network, uploaded.block).await;
    let [
        EthereumEvent::Router(RouterEvent::CodeValidationRequested {
            code_id,
            request_id,
            blob_hashes,
        }),
    ] = &block.events[..]
    else {
        panic!("{:?}", block.events)
    };
    assert_eq!((*code_id, Some(*request_id)), (id, uploaded.request_id));
    assert_eq!(blob_hashes.len(), 2);
    let source = BlobSource::new(
        vec![
            BlobEndpoint::Anvil("http://127.0.0.1:1".into()),
            BlobEndpoint::Anvil(network.anvil.http()),
        ],
        Duration::from_secs(10),
    );
    let fetched = source.code(&block.header, id, blob_hashes).await;
    assert!(fetched.as_ref() == Ok(&wasm), "{:?}", fetched.err());
    let other = CodeId::zero();
    assert_eq!(
        source.code(&block.header, other, blob_hashes).await,
        Err(BlobError::Invalid(CodeFault::CodeId {
            expected: other,
            found: id
        }))
    );
    let mut elsewhere = block.header;
    elsewhere.hash = H256::repeat_byte(9);
    let missing = source.code(&elsewhere, id, blob_hashes).await;
    assert!(
        matches!(missing, Err(BlobError::NotAvailable(_))),
        "{missing:?}"
    );

    // Asked again while it is pending: the Router's own refusal, under the selector that tools match.
    let again = router.upload_code(&wasm).await.unwrap_err();
    let revert = again.revert().unwrap_or_else(|| panic!("{again}"));
    assert_eq!(revert.name, "CodeAlreadyOnValidationOrValidated");

    let committed = network
        .commit(Vec::new(), vec![result(&uploaded, true)])
        .await;
    router.wait_for_code(&uploaded).await.unwrap();
    assert_eq!(router.code_state(id).await.unwrap(), CodeState::Validated);
    let block = observed(&network, committed).await;
    let last = router.last_batch().await.unwrap();
    assert_eq!(
        block.events,
        [EthereumEvent::Router(RouterEvent::BatchApplied(last))]
    );
    assert_eq!((last.nonce, last.outbox_end, last.set_id), (1, 1, 1));
    assert_eq!(last.spent, crate::common::SPENT);
    // A known code costs nothing more.
    assert_eq!(router.upload_code(&wasm).await.unwrap().tx, None);

    // Programs of each kind.
    for (salt, abi_interface, executable_balance) in [
        (1, None, 0),
        (2, Some(network.router.address()), 0),
        (3, None, 5 * WVARA),
        (4, Some(network.router.address()), 7 * WVARA),
    ] {
        let new = NewProgram {
            code_id: id,
            salt: H256::from_low_u64_be(salt),
            initializer: (salt == 2).then(|| signer(2).address()),
            abi_interface,
            executable_balance,
        };
        let program = router.create_program(new).await.unwrap();
        assert_eq!(router.program_code_id(program).await.unwrap(), Some(id));
        let expected = new.initializer.unwrap_or(network.user.address());
        assert_eq!(
            router.mirror(program).initializer().await.unwrap(),
            expected
        );
        let head = network.user.head().await.unwrap();
        let mut events = vec![EthereumEvent::Router(RouterEvent::ProgramCreated {
            actor_id: h160(program).into(),
            code_id: id,
        })];
        if executable_balance != 0 {
            events.push(EthereumEvent::Mirror {
                actor_id: h160(program).into(),
                event: MirrorEvent::ExecutableBalanceTopUpRequested {
                    value: executable_balance,
                },
            });
        }
        assert_eq!(observed(&network, head.number).await.events, events);
    }
    assert_eq!(
        router
            .program_code_id(network.user.address())
            .await
            .unwrap(),
        None
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_refused_code() {
    let network = Network::start(AnvilConfig::default(), &[1]).await;
    let uploaded = upload(&network, WASM).await;
    network
        .commit(Vec::new(), vec![result(&uploaded, false)])
        .await;
    let refused = network.router.wait_for_code(&uploaded).await.unwrap_err();
    assert!(matches!(refused, ClientError::CodeRefused(id) if id == uploaded.code_id));
    let new = NewProgram {
        code_id: uploaded.code_id,
        ..Default::default()
    };
    let error = network.router.create_program(new).await.unwrap_err();
    assert_eq!(error.revert().unwrap().name, "CodeNotValidated");
    assert!(
        error.to_string().contains("upload the code first"),
        "{error}"
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn messages_replies_and_value() {
    let network = Network::start(AnvilConfig::default(), &[1]).await;
    let mirror = program(&network, 1).await;
    let user = network.user.address();
    assert_eq!(mirror.state_hash().await.unwrap(), H256::zero());

    for approval in [Approval::Permit, Approval::Approve] {
        mirror
            .executable_balance_top_up(3 * WVARA, approval)
            .await
            .unwrap();
    }
    let refused = mirror
        .executable_balance_top_up(WVARA, Approval::Given)
        .await
        .unwrap_err();
    assert_eq!(refused.revert().unwrap().name, "ERC20InsufficientAllowance");

    // In: a message with value, and owned balance.
    let sent = mirror
        .send_message(&b"PING"[..], 1_000, false)
        .await
        .unwrap();
    assert_eq!(
        sent.id,
        MessageId::from_mirror(h160(mirror.address()), 0.into())
    );
    assert_eq!(
        observed(&network, sent.block).await.events,
        [EthereumEvent::Mirror {
            actor_id: mirror.actor_id(),
            event: MirrorEvent::MessageQueueingRequested {
                id: sent.id,
                source: h160(user),
                payload: b"PING".to_vec(),
                value: 1_000,
                call_reply: false,
            }
        }]
    );
    mirror.owned_balance_top_up(500).await.unwrap();

    // Out: a reply with value, and a mailbox message whose value stays in custody until it is claimed.
    let mail = OutgoingMessage {
        id: MessageId::outgoing(sent.id, 0),
        reply_details: None,
        value: 300,
        ..reply(sent.id, padded(user), b"mail", 0)
    };
    let mut change = transition(&mirror, 1);
    change.value_to_receive = 400;
    change.messages = vec![mail.clone(), reply(sent.id, padded(user), b"PONG", 400)];
    let committed = network.commit(vec![change], Vec::new()).await;
    let answer = mirror.wait_for_reply(sent.id, sent.block).await.unwrap();
    assert_eq!(answer.payload[..], b"PONG"[..]);
    assert_eq!(
        (answer.value, answer.code),
        (400, ReplyCode::SUCCESS_MANUAL)
    );
    assert_eq!((answer.block, answer.callback_failed), (committed, false));
    assert_eq!(mirror.state_hash().await.unwrap(), H256::from_low_u64_be(1));
    let found = mirror.wait_for_mail(user, sent.block).await.unwrap();
    assert_eq!((found.id, found.value), (mail.id, 300));

    // The claim.
    let claim = mirror.claim_value(mail.id).await.unwrap();
    let mut change = transition(&mirror, 2);
    change.value_to_receive = 300;
    change.value_claims = vec![ValueClaim {
        message_id: mail.id,
        destination: h160(user),
        value: 300,
    }];
    network.commit(vec![change], Vec::new()).await;
    let claimed = mirror
        .wait_for_claim(mail.id, claim.block_number.unwrap())
        .await
        .unwrap();
    assert_eq!((claimed.value, claimed.paid), (300, true));
    mirror.send_reply(mail.id, &b"thanks"[..], 1).await.unwrap();
    assert_eq!(mirror.nonce().await.unwrap(), U256::from(1));
    assert_eq!(mirror.inheritor().await.unwrap(), None);

    // Conserved: 1,000 + 500 + 1 came in, 700 went out.
    assert_eq!(
        network
            .user
            .call(
                network.router.address(),
                &Router::custodyCall {
                    program: mirror.address()
                }
            )
            .await
            .unwrap(),
        U256::from(801)
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn typed_calls_and_call_backs() {
    let network = Network::start(AnvilConfig::default(), &[1]).await;
    let user = &network.user;
    let code_id = validated(&network).await;
    // Any contract that declares the methods will do for the explorers.
    let caller_artifact = Artifact::counter_caller().unwrap();
    let new = NewProgram {
        code_id,
        abi_interface: Some(network.router.address()),
        ..Default::default()
    };
    let mirror = network
        .router
        .mirror(network.router.create_program(new).await.unwrap());
    let typed = counterAddCall {
        callReply: false,
        value: 1,
    }
    .abi_encode();
    let init = mirror.call_typed(typed.clone(), 0).await.unwrap();
    let caller = user
        .deploy(
            "the caller",
            &caller_artifact,
            &mirror.address().abi_encode(),
        )
        .await
        .unwrap();
    let asked = user
        .send(Transaction::call("asking", caller, &addCall { value: 5 }))
        .await
        .unwrap();
    let from = asked.block_number.unwrap();
    let id = MessageId::from_mirror(h160(mirror.address()), 1.into());
    let mut change = transition(&mirror, 1);
    change.messages = vec![
        reply(init.id, padded(user.address()), b"1", 0),
        OutgoingMessage {
            call: true,
            payload: replyOn_counterAddCall {
                messageId: b256(id.0),
                value: 6,
            }
            .abi_encode(),
            ..reply(id, padded(caller), b"", 0)
        },
    ];
    network.commit(vec![change], Vec::new()).await;
    let filter = Filter::new()
        .address(caller)
        .event_signature(Answered::SIGNATURE_HASH);
    let answer = user
        .wait_for_log("waiting for the answer", "none came", filter, from, |log| {
            Answered::decode_log_data_validate(&log.inner.data).ok()
        })
        .await
        .unwrap();
    assert_eq!((answer.messageId, answer.value), (b256(id.0), 6));

    // A call-back to a contract that has no such method fails; the reply is told all the same.
    let sent = mirror.call_typed(typed, 0).await.unwrap();
    let mut change = transition(&mirror, 2);
    change.messages = vec![OutgoingMessage {
        call: true,
        ..reply(sent.id, padded(network.router.address()), b"nonsense", 0)
    }];
    network.commit(vec![change], Vec::new()).await;
    let failed = mirror.wait_for_reply(sent.id, sent.block).await.unwrap();
    assert!(failed.callback_failed);

    // A program without typed ABI says so.
    let small = network
        .router
        .create_program(NewProgram {
            code_id,
            salt: H256::repeat_byte(1),
            ..Default::default()
        })
        .await
        .unwrap();
    let typed = counterAddCall {
        callReply: false,
        value: 1,
    }
    .abi_encode();
    let error = network
        .router
        .mirror(small)
        .call_typed(typed, 0)
        .await
        .unwrap_err();
    assert_eq!(error.revert().unwrap().name, "InvalidFallbackCall");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn waiting_ends_with_advice() {
    let network = Network::start(AnvilConfig::default(), &[1]).await;
    let stages = Arc::new(Mutex::new(Vec::new()));
    let seen = stages.clone();
    let impatient = network.user.with_options(Options {
        deadline: Duration::from_millis(300),
        progress: Arc::new(move |stage, _| seen.lock().unwrap().push(stage)),
        ..options()
    });
    network
        .user
        .provider()
        .anvil_set_auto_mine(false)
        .await
        .unwrap();
    let error = impatient
        .send(Transaction {
            to: Some(signer(3).address()),
            action: "paying".into(),
            ..Default::default()
        })
        .await
        .unwrap_err();
    assert!(matches!(error, ClientError::Timeout { .. }), "{error}");
    assert!(error.to_string().contains("pay a higher fee"), "{error}");
    assert_eq!(
        *stages.lock().unwrap(),
        ["submitted", "waiting for the transaction to be mined"]
    );
    let unreachable = Wallet::connect("http://127.0.0.1:1", signer(1), options())
        .await
        .unwrap_err();
    assert!(
        matches!(unreachable, ClientError::Unreachable { .. }),
        "{unreachable}"
    );
    network
        .user
        .provider()
        .anvil_set_auto_mine(true)
        .await
        .unwrap();
    let poor = Wallet::connect(
        &network.anvil.http(),
        B256::repeat_byte(7).to_string().parse().unwrap(),
        options(),
    )
    .await
    .unwrap();
    let error = poor
        .send(
            Transaction {
                to: Some(signer(3).address()),
                action: "paying".into(),
                ..Default::default()
            }
            .with_value(1),
        )
        .await
        .unwrap_err();
    assert!(
        matches!(error, ClientError::InsufficientFunds { .. }),
        "{error:?}"
    );
    let nothing = poor
        .call(signer(3).address(), &Router::setIdCall {})
        .await
        .unwrap_err();
    assert!(matches!(nothing, ClientError::NoContract(_)), "{nothing:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_wallet_sends_many_at_once() {
    let network = Network::start(
        AnvilConfig {
            block_time: Some(1),
            ..Default::default()
        },
        &[1],
    )
    .await;
    let sends = (0..20).map(|_| {
        network.user.send(
            Transaction {
                to: Some(signer(3).address()),
                action: "paying".into(),
                ..Default::default()
            }
            .with_value(1),
        )
    });
    let receipts = futures::future::try_join_all(sends).await.unwrap();
    assert!(receipts.iter().all(|receipt| receipt.status()));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_program_of_a_program() {
    let network = Network::start(AnvilConfig::default(), &[1, 1]).await;
    let creator = program(&network, 1).await;
    let creation = ProgramCreation {
        creator: creator.actor_id(),
        code_id: CodeId::of(WASM),
        salt: ProgramCreation::salt(MessageId::zero(), 0, b"salt"),
    };
    let proxy = Artifact::mirror_proxy_small().unwrap();
    let factory = MirrorFactory {
        router: network.router.domain().router,
        proxy_code_hash: keccak256([proxy.bytecode]),
    };
    let actor = factory.address(&creation).unwrap();
    let mut born = StateTransition::new(actor, H256::from_low_u64_be(9));
    born.creation = Some(creation);
    let block = network.commit(vec![born], Vec::new()).await;

    let mirror = network.router.mirror(address(actor.to_address().unwrap()));
    assert_eq!(mirror.state_hash().await.unwrap(), H256::from_low_u64_be(9));
    assert_eq!(
        network
            .router
            .program_code_id(mirror.address())
            .await
            .unwrap(),
        Some(creation.code_id)
    );
    let created = observed(&network, block)
        .await
        .events
        .into_iter()
        .any(|event| {
            event
                == EthereumEvent::Router(RouterEvent::ProgramCreated {
                    actor_id: actor,
                    code_id: creation.code_id,
                })
        });
    assert!(created);
    // Anybody may send to it: its first message came from its creator.
    mirror
        .send_message(b"hello".to_vec(), 0, false)
        .await
        .unwrap();
}
