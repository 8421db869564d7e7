//! A batch in the words of the Router's ABI, and the Router's words about a batch.

mod refusal;

pub use refusal::{Refusal, RefusalClass};

use crate::{
    abi::{Gear, Router},
    convert::{address, b256},
};
use alloy::{
    primitives::{Address, B256, FixedBytes},
    sol_types::SolCall,
};
use gear_exe_primitives::{
    batch::{Batch, creations},
    creation::ProgramCreation,
    message::OutgoingMessage,
    outbox::OutboxItem,
    transition::{StateTransition, ValueClaim},
};

fn message(message: &OutgoingMessage) -> Gear::Message {
    let (to, code) = message
        .reply_details
        .map_or((B256::ZERO, FixedBytes::ZERO), |details| {
            (b256(details.to.0), FixedBytes(details.code.0))
        });
    Gear::Message {
        id: b256(message.id.0),
        destination: address(message.destination),
        payload: message.payload.clone().into(),
        value: message.value,
        replyDetails: Gear::ReplyDetails { to, code },
        call: message.call,
    }
}

fn claim(claim: &ValueClaim) -> Gear::ValueClaim {
    Gear::ValueClaim {
        messageId: b256(claim.message_id.0),
        destination: address(claim.destination),
        value: claim.value,
    }
}

fn creation(creation: &ProgramCreation) -> Gear::ProgramCreation {
    Gear::ProgramCreation {
        creator: address(creation.creator.to_address_lossy()),
        codeId: b256(creation.code_id.0),
        salt: b256(creation.salt),
    }
}

fn transition(transition: &StateTransition) -> Gear::StateTransition {
    Gear::StateTransition {
        actorId: address(transition.actor_id.to_address_lossy()),
        newStateHash: b256(transition.new_state_hash),
        exited: transition.inheritor.is_some(),
        inheritor: transition.inheritor.map_or(Address::ZERO, |inheritor| {
            address(inheritor.to_address_lossy())
        }),
        valueToReceive: transition.value_to_receive.unsigned_abs(),
        valueToReceiveNegativeSign: transition.value_to_receive < 0,
        netTransfer: transition.net_transfer,
        valueClaims: transition.value_claims.iter().map(claim).collect(),
        messages: transition.messages.iter().map(message).collect(),
    }
}

fn outbox_item(item: &OutboxItem) -> Gear::OutboxItem {
    Gear::OutboxItem {
        kind: item.kind(),
        data: item.data().into(),
    }
}

/// `batch` as `commitBatch` takes it.
pub fn to_abi(batch: &Batch) -> Gear::Batch {
    let header = &batch.header;
    Gear::Batch {
        genesis: b256(header.genesis),
        sealNumber: header.seal_number,
        sealHash: b256(header.seal_hash),
        lastRound: header.last_round,
        lastRoundHash: b256(header.last_round_hash),
        nonce: header.nonce,
        parent: b256(header.parent),
        anchorNumber: header.anchor_number,
        anchorHash: b256(header.anchor_hash),
        setId: header.set_id,
        expiry: header.expiry,
        spent: batch.spent,
        outboxEnd: batch.outbox_end,
        creations: creations(&batch.transitions).map(creation).collect(),
        transitions: batch.transitions.iter().map(transition).collect(),
        outbox: batch.outbox.iter().map(outbox_item).collect(),
    }
}

/// Calldata of `commitBatch`.
pub fn calldata(batch: &Batch, signers: &[u8], signatures: &[u8]) -> Vec<u8> {
    Router::commitBatchCall {
        batch: to_abi(batch),
        signers: signers.to_vec().into(),
        signatures: signatures.to_vec().into(),
    }
    .abi_encode()
}

#[cfg(test)]
mod tests;
