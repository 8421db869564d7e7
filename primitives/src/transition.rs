//! One program's change, as Ethereum is told of it, and how the changes of several rounds become one.
//!
//! ETH in transit sits in the Router's custody for a program, ETH that a program owns in its Mirror. A transition says
//! what moves between the two ([`StateTransition::value_to_receive`]) and what custody programs pass to each other
//! ([`StateTransition::net_transfer`]); messages and claims are paid out by the Mirror.
//!
//! The deposits of users are custody of [`ActorId::DEPOSITS`], and its transition is like a program's: what users spend on
//! native messages it passes to programs, what they take back it receives and pays as claims, both at once, since it has no
//! Mirror to keep anything in. So for it `value_to_receive` is always the sum of its claims.

use crate::{
    creation::ProgramCreation,
    hashing::keccak256,
    ids::{ActorId, MessageId},
    message::OutgoingMessage,
};
use alloc::{collections::BTreeMap, vec::Vec};
use codec::{Decode, DecodeWithMemTracking, Encode};
use primitive_types::{H160, H256};
use scale_info::TypeInfo;

/// ETH that a user takes out of a program's mailbox.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Encode, Decode, DecodeWithMemTracking, TypeInfo)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct ValueClaim {
    /// The mailbox message that carried it.
    pub message_id: MessageId,
    /// Who gets it.
    pub destination: H160,
    /// In wei.
    pub value: u128,
}

impl ValueClaim {
    /// `keccak256(messageId ‖ destination ‖ value)`.
    pub fn hash(&self) -> H256 {
        keccak256([
            self.message_id.as_ref(),
            self.destination.as_bytes(),
            &self.value.to_be_bytes(),
        ])
    }
}

impl OutgoingMessage {
    /// `keccak256(id ‖ destination ‖ payload ‖ value ‖ replyTo ‖ replyCode ‖ call)`.
    pub fn hash(&self) -> H256 {
        let (to, code) = self
            .reply_details
            .map_or((MessageId::zero(), [0; 4]), |details| {
                (details.to, details.code.0)
            });
        keccak256([
            self.id.as_ref(),
            self.destination.as_bytes(),
            &self.payload,
            &self.value.to_be_bytes(),
            to.as_ref(),
            &code,
            &[u8::from(self.call)],
        ])
    }
}

/// Why two transitions cannot be joined: amounts beyond what the contracts can hold.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AmountOverflow;

/// One program's change in a round, or squashed over several.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode, DecodeWithMemTracking, TypeInfo)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct StateTransition {
    /// The program.
    pub actor_id: ActorId,
    /// Set if a program has created it: its Mirror is yet to be made. Not a part of [`hash`](Self::hash): a batch lists
    /// creations of their own.
    pub creation: Option<ProgramCreation>,
    /// Its state afterwards.
    pub new_state_hash: H256,
    /// Set when the program has exited; who inherits what it owns.
    pub inheritor: Option<ActorId>,
    /// Wei that go from the Router's custody to the Mirror; negative from the Mirror to custody.
    pub value_to_receive: i128,
    /// Wei of custody received from other programs, less those given to them. Sums to zero over a batch.
    pub net_transfer: i128,
    /// Mailbox claims, in order.
    pub value_claims: Vec<ValueClaim>,
    /// Messages to Ethereum addresses, in order.
    pub messages: Vec<OutgoingMessage>,
}

impl StateTransition {
    /// Whether it is that of the deposits of users, which are no program.
    pub fn is_of_deposits(&self) -> bool {
        self.actor_id == ActorId::DEPOSITS
    }

    /// A transition of `actor_id` to `new_state_hash` that moves nothing.
    pub fn new(actor_id: ActorId, new_state_hash: H256) -> Self {
        Self {
            actor_id,
            creation: None,
            new_state_hash,
            inheritor: None,
            value_to_receive: 0,
            net_transfer: 0,
            value_claims: Vec::new(),
            messages: Vec::new(),
        }
    }

    /// Whether it does nothing but name a state.
    pub fn is_quiet(&self) -> bool {
        self.creation.is_none()
            && self.inheritor.is_none()
            && self.value_to_receive == 0
            && self.net_transfer == 0
            && self.value_claims.is_empty()
            && self.messages.is_empty()
    }

    /// Keccak-256 of the packed fields, as `Gear.transitionHash` computes it.
    pub fn hash(&self) -> H256 {
        keccak256([
            self.actor_id.to_address_lossy().as_bytes(),
            self.new_state_hash.as_bytes(),
            &[u8::from(self.inheritor.is_some())],
            self.inheritor
                .unwrap_or_default()
                .to_address_lossy()
                .as_bytes(),
            &self.value_to_receive.unsigned_abs().to_be_bytes(),
            &[u8::from(self.value_to_receive < 0)],
            &self.net_transfer.to_be_bytes(),
            list_hash(self.value_claims.iter().map(ValueClaim::hash)).as_bytes(),
            list_hash(self.messages.iter().map(OutgoingMessage::hash)).as_bytes(),
        ])
    }

    /// Joins the change of a later round to this one.
    ///
    /// # Errors
    ///
    /// [`AmountOverflow`] if a sum leaves the range of an `i128`; nothing is changed then.
    pub fn absorb(&mut self, later: Self) -> Result<(), AmountOverflow> {
        let value_to_receive = self
            .value_to_receive
            .checked_add(later.value_to_receive)
            .ok_or(AmountOverflow)?;
        let net_transfer = self
            .net_transfer
            .checked_add(later.net_transfer)
            .ok_or(AmountOverflow)?;
        self.value_to_receive = value_to_receive;
        self.net_transfer = net_transfer;
        self.new_state_hash = later.new_state_hash;
        self.creation = self.creation.or(later.creation);
        self.inheritor = later.inheritor.or(self.inheritor);
        self.value_claims.extend(later.value_claims);
        self.messages.extend(later.messages);
        Ok(())
    }
}

/// `keccak256` of the concatenated item hashes; of nothing for an empty list.
pub fn list_hash(hashes: impl IntoIterator<Item = H256>) -> H256 {
    keccak256(hashes)
}

/// Joins the transitions of consecutive rounds, oldest first, into one per program, ordered by actor id.
///
/// # Errors
///
/// [`AmountOverflow`] if a program's sums leave the range of an `i128`.
pub fn squash(
    rounds: impl IntoIterator<Item = Vec<StateTransition>>,
) -> Result<Vec<StateTransition>, AmountOverflow> {
    let mut joined = BTreeMap::<ActorId, StateTransition>::new();
    for transition in rounds.into_iter().flatten() {
        match joined.get_mut(&transition.actor_id) {
            Some(earlier) => earlier.absorb(transition)?,
            None => {
                joined.insert(transition.actor_id, transition);
            }
        }
    }
    Ok(joined.into_values().collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn claim(number: u8) -> ValueClaim {
        ValueClaim {
            message_id: [number; 32].into(),
            destination: H160::repeat_byte(number),
            value: number.into(),
        }
    }

    #[test]
    fn squash_keeps_order_and_sums() {
        let program = ActorId::from(H160::repeat_byte(1));
        let other = ActorId::from(H160::repeat_byte(2));
        let mut first = StateTransition::new(program, H256::repeat_byte(1));
        let creation = ProgramCreation {
            creator: other,
            code_id: [3; 32].into(),
            salt: H256::repeat_byte(4),
        };
        first.creation = Some(creation);
        first.value_to_receive = 5;
        first.value_claims.push(claim(1));
        let mut second = StateTransition::new(program, H256::repeat_byte(2));
        second.value_to_receive = -7;
        second.net_transfer = 3;
        second.value_claims.push(claim(2));
        let apart = StateTransition::new(other, H256::repeat_byte(9));

        let squashed = squash([vec![apart.clone(), first], vec![second]]).unwrap();
        assert_eq!(squashed.len(), 2);
        assert_eq!(squashed[1], apart);
        let joined = &squashed[0];
        assert_eq!(joined.new_state_hash, H256::repeat_byte(2));
        assert_eq!(joined.creation, Some(creation));
        assert_eq!((joined.value_to_receive, joined.net_transfer), (-2, 3));
        assert_eq!(joined.value_claims, [claim(1), claim(2)]);
    }

    #[test]
    fn deposits_stay_balanced_however_rounds_are_joined() {
        let program = ActorId::from(H160::repeat_byte(1));
        let round = |number: u8, given: i128| {
            let mut gets = StateTransition::new(program, H256::repeat_byte(number));
            gets.net_transfer = given;
            let mut deposits = StateTransition::new(ActorId::DEPOSITS, H256::repeat_byte(number));
            deposits.net_transfer = -given;
            deposits.value_claims.push(claim(number));
            deposits.value_to_receive = number.into();
            vec![deposits, gets]
        };
        let squashed = squash([round(1, 10), round(2, -4), round(3, 7)]).unwrap();
        assert!(squashed[0].is_of_deposits());
        assert!(!squashed[1].is_of_deposits());
        assert_eq!(squashed[0].net_transfer, -squashed[1].net_transfer);
        assert_eq!(squashed[1].net_transfer, 13);
        let claimed: u128 = squashed[0].value_claims.iter().map(|own| own.value).sum();
        assert_eq!(squashed[0].value_to_receive, claimed as i128);
        assert_eq!(
            ActorId::DEPOSITS.to_address(),
            Some(H160::from_low_u64_be(0xde90_5175))
        );
    }

    #[test]
    fn overflow_is_an_error_and_changes_nothing() {
        let program = ActorId::from(H160::repeat_byte(1));
        let mut first = StateTransition::new(program, H256::zero());
        first.value_to_receive = i128::MAX;
        let before = first.clone();
        let mut second = StateTransition::new(program, H256::repeat_byte(1));
        second.value_to_receive = 1;
        assert_eq!(first.absorb(second), Err(AmountOverflow));
        assert_eq!(first, before);
    }

    #[test]
    fn every_field_is_hashed() {
        let base = StateTransition::new(ActorId::from(H160::repeat_byte(1)), H256::zero());
        let variants = [
            StateTransition {
                inheritor: Some(ActorId::zero()),
                ..base.clone()
            },
            StateTransition {
                value_to_receive: 1,
                ..base.clone()
            },
            StateTransition {
                value_to_receive: -1,
                ..base.clone()
            },
            StateTransition {
                net_transfer: 1,
                ..base.clone()
            },
            StateTransition {
                value_claims: vec![claim(1)],
                ..base.clone()
            },
            StateTransition {
                new_state_hash: H256::repeat_byte(1),
                ..base.clone()
            },
        ];
        let mut hashes: Vec<_> = variants.iter().map(StateTransition::hash).collect();
        hashes.push(base.hash());
        hashes.sort();
        hashes.dedup();
        assert_eq!(hashes.len(), variants.len() + 1);
    }
}
