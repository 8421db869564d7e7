//! Logs of Router and Mirrors, read as the events that the chain knows.

use crate::{
    abi::{Mirror, Router},
    convert::{h160, h256},
};
use alloy::{
    primitives::{Address, LogData},
    sol_types::SolEvent,
};
use gear_exe_primitives::{
    ActorId, CodeId, MessageId,
    batch::AppliedBatch,
    ethereum::{EthereumEvent, MirrorEvent, RouterEvent},
};

/// A log whose topic is known but whose content is not what the topic promises.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("malformed `{event}` log of {emitter}: {reason}")]
pub struct MalformedLog {
    /// Name of the event.
    pub event: &'static str,
    /// Who emitted it.
    pub emitter: Address,
    /// What the decoder says.
    pub reason: String,
}

fn decode<E: SolEvent>(
    event: &'static str,
    emitter: Address,
    log: &LogData,
) -> Result<E, MalformedLog> {
    E::decode_log_data_validate(log).map_err(|error| MalformedLog {
        event,
        emitter,
        reason: error.to_string(),
    })
}

/// Reads a log of the Router. `None` for events that do not concern the chain.
///
/// # Errors
///
/// [`MalformedLog`] if the topic is known and the content is not.
pub fn router_event(emitter: Address, log: &LogData) -> Result<Option<RouterEvent>, MalformedLog> {
    let Some(topic) = log.topics().first() else {
        return Ok(None);
    };
    Ok(Some(match *topic {
        Router::CodeBlobsAnnounced::SIGNATURE_HASH => {
            let event = decode::<Router::CodeBlobsAnnounced>("CodeBlobsAnnounced", emitter, log)?;
            RouterEvent::CodeValidationRequested {
                code_id: CodeId(h256(event.codeId)),
                request_id: h256(event.requestId),
                blob_hashes: event.blobHashes.into_iter().map(h256).collect(),
            }
        }
        Router::ProgramCreated::SIGNATURE_HASH => {
            let event = decode::<Router::ProgramCreated>("ProgramCreated", emitter, log)?;
            RouterEvent::ProgramCreated {
                actor_id: ActorId::from(h160(event.actorId)),
                code_id: CodeId(h256(event.codeId)),
            }
        }
        Router::BatchApplied::SIGNATURE_HASH => {
            let event = decode::<Router::BatchApplied>("BatchApplied", emitter, log)?;
            RouterEvent::BatchApplied(AppliedBatch {
                nonce: event.nonce,
                digest: h256(event.digest),
                seal_number: event.sealNumber,
                seal_hash: h256(event.sealHash),
                last_round: event.lastRound,
                last_round_hash: h256(event.lastRoundHash),
                outbox_end: event.outboxEnd,
                set_id: event.setId,
                spent: event.spent,
            })
        }
        Router::Deposited::SIGNATURE_HASH => {
            let event = decode::<Router::Deposited>("Deposited", emitter, log)?;
            RouterEvent::Deposited {
                account: h160(event.account),
                value: event.value,
            }
        }
        Router::WithdrawalRequested::SIGNATURE_HASH => {
            let event = decode::<Router::WithdrawalRequested>("WithdrawalRequested", emitter, log)?;
            RouterEvent::WithdrawalRequested {
                account: h160(event.account),
                amount: event.amount,
                id: MessageId(h256(event.id)),
            }
        }
        _ => return Ok(None),
    }))
}

/// Reads a log of a Mirror. `None` for events that do not concern the chain.
///
/// # Errors
///
/// [`MalformedLog`] if the topic is known and the content is not.
pub fn mirror_event(emitter: Address, log: &LogData) -> Result<Option<MirrorEvent>, MalformedLog> {
    let Some(topic) = log.topics().first() else {
        return Ok(None);
    };
    Ok(Some(match *topic {
        Mirror::OwnedBalanceTopUpRequested::SIGNATURE_HASH => {
            MirrorEvent::OwnedBalanceTopUpRequested {
                value: decode::<Mirror::OwnedBalanceTopUpRequested>(
                    "OwnedBalanceTopUpRequested",
                    emitter,
                    log,
                )?
                .value,
            }
        }
        Mirror::ExecutableBalanceTopUpRequested::SIGNATURE_HASH => {
            MirrorEvent::ExecutableBalanceTopUpRequested {
                value: decode::<Mirror::ExecutableBalanceTopUpRequested>(
                    "ExecutableBalanceTopUpRequested",
                    emitter,
                    log,
                )?
                .value,
            }
        }
        Mirror::MessageQueueingRequested::SIGNATURE_HASH => {
            let event = decode::<Mirror::MessageQueueingRequested>(
                "MessageQueueingRequested",
                emitter,
                log,
            )?;
            MirrorEvent::MessageQueueingRequested {
                id: MessageId(h256(event.id)),
                source: h160(event.source),
                payload: event.payload.to_vec(),
                value: event.value,
                call_reply: event.callReply,
            }
        }
        Mirror::ReplyQueueingRequested::SIGNATURE_HASH => {
            let event =
                decode::<Mirror::ReplyQueueingRequested>("ReplyQueueingRequested", emitter, log)?;
            MirrorEvent::ReplyQueueingRequested {
                replied_to: MessageId(h256(event.repliedTo)),
                source: h160(event.source),
                payload: event.payload.to_vec(),
                value: event.value,
            }
        }
        Mirror::ValueClaimingRequested::SIGNATURE_HASH => {
            let event =
                decode::<Mirror::ValueClaimingRequested>("ValueClaimingRequested", emitter, log)?;
            MirrorEvent::ValueClaimingRequested {
                claimed_id: MessageId(h256(event.claimedId)),
                source: h160(event.source),
            }
        }
        _ => return Ok(None),
    }))
}

/// Reads the log of any contract: of the Router as such, of any other as a Mirror's.
///
/// Whether an emitter really is a Mirror is not visible in its log: the executor, which knows the programs, ignores
/// events of others. A stranger's malformed log is ignored here, so that it cannot spoil a block; a Mirror emits none.
/// A Mirror also emits raw logs for its program (Sails events); the contract bars those from the topics read here.
///
/// # Errors
///
/// [`MalformedLog`] if the Router's log has a known topic and another content than that promises.
pub fn event(
    router: Address,
    emitter: Address,
    log: &LogData,
) -> Result<Option<EthereumEvent>, MalformedLog> {
    if emitter == router {
        return Ok(router_event(emitter, log)?.map(EthereumEvent::Router));
    }
    Ok(mirror_event(emitter, log)
        .unwrap_or_default()
        .map(|event| EthereumEvent::Mirror {
            actor_id: ActorId::from(h160(emitter)),
            event,
        }))
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloy::primitives::{B256, Bytes};

    const ROUTER: Address = Address::repeat_byte(1);
    const MIRROR: Address = Address::repeat_byte(2);

    fn read(emitter: Address, log: &LogData) -> Result<Option<EthereumEvent>, MalformedLog> {
        event(ROUTER, emitter, log)
    }

    fn announced() -> LogData {
        Router::CodeBlobsAnnounced {
            codeId: B256::repeat_byte(3),
            requestId: B256::repeat_byte(4),
            blobHashes: vec![B256::repeat_byte(5), B256::repeat_byte(6)],
        }
        .encode_log_data()
    }

    #[test]
    fn reads_router_events() {
        let Ok(Some(EthereumEvent::Router(RouterEvent::CodeValidationRequested {
            code_id,
            request_id,
            blob_hashes,
        }))) = read(ROUTER, &announced())
        else {
            panic!("not read")
        };
        assert_eq!(code_id.0, h256(B256::repeat_byte(3)));
        assert_eq!(request_id, h256(B256::repeat_byte(4)));
        assert_eq!(blob_hashes.len(), 2);

        let applied = Router::BatchApplied {
            nonce: 1,
            digest: B256::repeat_byte(2),
            sealNumber: 3,
            sealHash: B256::repeat_byte(4),
            lastRound: 5,
            lastRoundHash: B256::repeat_byte(6),
            outboxEnd: 7,
            setId: 8,
            spent: 9,
        };
        assert_eq!(
            read(ROUTER, &applied.encode_log_data()),
            Ok(Some(EthereumEvent::Router(RouterEvent::BatchApplied(
                AppliedBatch {
                    nonce: 1,
                    digest: h256(B256::repeat_byte(2)),
                    seal_number: 3,
                    seal_hash: h256(B256::repeat_byte(4)),
                    last_round: 5,
                    last_round_hash: h256(B256::repeat_byte(6)),
                    outbox_end: 7,
                    set_id: 8,
                    spent: 9,
                }
            ))))
        );
    }

    #[test]
    fn reads_what_is_deposited_and_asked_back() {
        let deposited = Router::Deposited {
            account: Address::repeat_byte(3),
            value: 4,
        };
        assert_eq!(
            read(ROUTER, &deposited.encode_log_data()),
            Ok(Some(EthereumEvent::Router(RouterEvent::Deposited {
                account: h160(Address::repeat_byte(3)),
                value: 4,
            })))
        );
        // Of the Router alone.
        assert_eq!(read(MIRROR, &deposited.encode_log_data()), Ok(None));
        let asked = Router::WithdrawalRequested {
            account: Address::repeat_byte(3),
            amount: 5,
            id: B256::repeat_byte(6),
        };
        assert_eq!(
            read(ROUTER, &asked.encode_log_data()),
            Ok(Some(EthereumEvent::Router(
                RouterEvent::WithdrawalRequested {
                    account: h160(Address::repeat_byte(3)),
                    amount: 5,
                    id: MessageId(h256(B256::repeat_byte(6))),
                }
            )))
        );
    }

    #[test]
    fn reads_mirror_events() {
        let message = Mirror::MessageQueueingRequested {
            id: B256::repeat_byte(1),
            source: Address::repeat_byte(9),
            payload: Bytes::from_static(b"PING"),
            value: 5,
            callReply: true,
        };
        assert_eq!(
            read(MIRROR, &message.encode_log_data()),
            Ok(Some(EthereumEvent::Mirror {
                actor_id: ActorId::from(h160(MIRROR)),
                event: MirrorEvent::MessageQueueingRequested {
                    id: MessageId(h256(B256::repeat_byte(1))),
                    source: h160(Address::repeat_byte(9)),
                    payload: b"PING".to_vec(),
                    value: 5,
                    call_reply: true,
                }
            }))
        );
    }

    #[test]
    fn ignores_what_it_does_not_know() {
        let compat = Router::CodeValidationRequested { codeId: B256::ZERO };
        assert_eq!(read(ROUTER, &compat.encode_log_data()), Ok(None));
        assert_eq!(read(Address::repeat_byte(7), &announced()), Ok(None));
        assert_eq!(read(MIRROR, &announced()), Ok(None));
        assert_eq!(read(ROUTER, &LogData::default()), Ok(None));
    }

    #[test]
    fn malformed_logs_are_errors() {
        let whole = announced();
        let cut = LogData::new_unchecked(
            whole.topics().to_vec(),
            Bytes::copy_from_slice(&whole.data[..40]),
        );
        assert_eq!(read(ROUTER, &cut).unwrap_err().event, "CodeBlobsAnnounced");
        let topics = LogData::new_unchecked(whole.topics()[..1].to_vec(), whole.data.clone());
        assert!(read(ROUTER, &topics).is_err());
        assert_eq!(read(MIRROR, &cut), Ok(None));
        let message = Mirror::OwnedBalanceTopUpRequested { value: 1 }.encode_log_data();
        let cut = LogData::new_unchecked(message.topics().to_vec(), Bytes::new());
        assert_eq!(read(MIRROR, &cut), Ok(None));
        assert!(mirror_event(MIRROR, &cut).is_err());
    }
}
