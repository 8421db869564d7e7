//! Messages that reach a program without Ethereum: what a user signs, and what clients are told about it.
//!
//! A wallet signs one of three forms of the same message. Two are those of clients that exist already: a 32-byte digest,
//! signed as a personal message (EIP-191). The third is typed data (EIP-712) in the Router's domain, which a wallet shows
//! field by field. RPC takes all three; the chain checks the signature when a block is built, and the executor knows the
//! message by its id alone.

use crate::{
    abi::{address, uint},
    batch::RouterDomain,
    hashing::{blake2b256, keccak256},
    ids::{ActorId, MessageId},
    message::ReplyCode,
    round::NativeMessage,
    signature::CompactSignature,
};
use alloc::vec::Vec;
use codec::{Decode, DecodeWithMemTracking, Encode, MaxEncodedLen};
use primitive_types::{H160, H256};
use scale_info::TypeInfo;

/// The EIP-712 type of a native message.
pub const NATIVE_MESSAGE_TYPE: &str = "NativeMessage(address destination,bytes payload,uint256 value,bytes32 referenceBlock,bytes32 salt)";

/// The longest payload of a native message, in bytes.
pub const MAX_PAYLOAD: usize = 126 << 10;

/// The longest salt, in bytes.
pub const MAX_SALT: usize = 32;

/// What a user wants a program to be told.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode, DecodeWithMemTracking, TypeInfo)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct NativeTransaction {
    /// The program: the address of its Mirror.
    pub destination: H160,
    /// What it is told, at most [`MAX_PAYLOAD`] bytes.
    pub payload: Vec<u8>,
    /// In wei, from the sender's deposit.
    pub value: u128,
    /// Hash of a recent Ethereum block. Until some blocks after it the message can be included, and never again.
    pub reference_block: H256,
    /// Any bytes, at most [`MAX_SALT`], by which two equal messages differ.
    pub salt: Vec<u8>,
}

/// How a message is signed.
#[derive(
    Clone,
    Copy,
    Debug,
    PartialEq,
    Eq,
    Encode,
    Decode,
    DecodeWithMemTracking,
    MaxEncodedLen,
    TypeInfo,
)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub enum SigningForm {
    /// A personal message over a digest of hashes: clients from 0.5 on.
    Versioned,
    /// A personal message over a digest of payload and salt themselves: clients before that.
    Legacy,
    /// Typed data in the Router's domain.
    Typed,
}

/// A message with its signature.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode, DecodeWithMemTracking, TypeInfo)]
pub struct SignedNative {
    /// The message.
    pub transaction: NativeTransaction,
    /// How it was signed.
    pub form: SigningForm,
    /// Who is said to have signed it.
    pub source: H160,
    /// Of its digest.
    pub signature: CompactSignature,
}

/// `keccak256("\x19Ethereum Signed Message:\n32" ‖ digest)`: what a wallet signs when it is asked for a personal message
/// of 32 bytes (EIP-191).
pub fn personal_message(digest: H256) -> H256 {
    keccak256([&b"\x19Ethereum Signed Message:\n32"[..], digest.as_bytes()])
}

impl NativeTransaction {
    /// Whether payload and salt are as short as they must be.
    pub fn is_sized(&self) -> bool {
        self.payload.len() <= MAX_PAYLOAD && self.salt.len() <= MAX_SALT
    }

    /// What existing clients hash: 144 bytes if they hash payload and salt first.
    fn preimage(&self, form: SigningForm) -> Vec<u8> {
        let mut bytes = address(self.destination).to_vec();
        let part = |bytes: &mut Vec<u8>, part: &[u8]| match form {
            SigningForm::Legacy => bytes.extend_from_slice(part),
            _ => bytes.extend_from_slice(blake2b256([part]).as_bytes()),
        };
        part(&mut bytes, &self.payload);
        bytes.extend_from_slice(&self.value.to_be_bytes());
        bytes.extend_from_slice(self.reference_block.as_bytes());
        part(&mut bytes, &self.salt);
        bytes
    }

    /// The salt as a word: on the left, as `bytes32` has it.
    fn salt_word(&self) -> [u8; 32] {
        let mut word = [0; 32];
        for (to, from) in word.iter_mut().zip(&self.salt) {
            *to = *from;
        }
        word
    }

    /// The 32 bytes whose signature counts.
    pub fn digest(&self, form: SigningForm, domain: &RouterDomain) -> H256 {
        match form {
            SigningForm::Versioned | SigningForm::Legacy => {
                personal_message(keccak256([self.preimage(form)]))
            }
            SigningForm::Typed => domain.typed_data(keccak256([
                keccak256([NATIVE_MESSAGE_TYPE]).0,
                address(self.destination),
                keccak256([&self.payload]).0,
                uint(self.value),
                self.reference_block.0,
                self.salt_word(),
            ])),
        }
    }

    /// The id of the message, and the hash by which clients ask for it.
    ///
    /// In the forms that exist already it does not depend on the signer, so whoever sees a message can have its id taken
    /// by a message of his own; the signer learns so and signs again with another salt. The id of the typed form is the
    /// signer's own.
    pub fn id(&self, form: SigningForm, domain: &RouterDomain, source: H160) -> MessageId {
        MessageId(match form {
            SigningForm::Versioned | SigningForm::Legacy => blake2b256([self.preimage(form)]),
            SigningForm::Typed => {
                blake2b256([self.digest(form, domain).as_bytes(), source.as_bytes()])
            }
        })
    }
}

impl SignedNative {
    /// The 32 bytes whose signature counts.
    pub fn digest(&self, domain: &RouterDomain) -> H256 {
        self.transaction.digest(self.form, domain)
    }

    /// Whether it was signed by who is said to have.
    pub fn is_signed(&self, domain: &RouterDomain) -> bool {
        self.signature.recover(self.digest(domain)) == Ok(self.source)
    }

    /// Its id.
    pub fn id(&self, domain: &RouterDomain) -> MessageId {
        self.transaction.id(self.form, domain, self.source)
    }

    /// Bytes of payload and salt.
    pub fn length(&self) -> u32 {
        let bytes = self
            .transaction
            .payload
            .len()
            .saturating_add(self.transaction.salt.len());
        u32::try_from(bytes).unwrap_or(u32::MAX)
    }

    /// What the executor takes in, with the id that the chain has given it. Clients of the old forms expect the reply also
    /// as an event of the Mirror.
    pub fn into_message(self, id: MessageId) -> NativeMessage {
        NativeMessage {
            id,
            source: self.source,
            destination: ActorId::from(self.transaction.destination),
            payload: self.transaction.payload,
            value: self.transaction.value,
            receipt_only: self.form == SigningForm::Typed,
        }
    }
}

/// As RPC reads it: `{data, signature, address}`; in the legacy form `{recipient, tx: {…}}` around that, and with
/// `form: "typed"` in the typed one.
#[cfg(feature = "serde")]
impl serde::Serialize for SignedNative {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        use alloc::{format, string::String};
        use serde::ser::SerializeStruct;

        /// Bytes in hex.
        fn hexed(bytes: &[u8]) -> String {
            format!("0x{}", hex::encode(bytes))
        }

        struct Data<'a>(&'a NativeTransaction);

        impl serde::Serialize for Data<'_> {
            fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                let mut data = serializer.serialize_struct("Data", 5)?;
                data.serialize_field("destination", &self.0.destination)?;
                data.serialize_field("payload", &hexed(&self.0.payload))?;
                // What JavaScript's numbers do not hold is written as a string.
                match u32::try_from(self.0.value) {
                    Ok(value) => data.serialize_field("value", &value)?,
                    Err(_) => data.serialize_field("value", &format!("{}", self.0.value))?,
                }
                data.serialize_field("reference_block", &self.0.reference_block)?;
                data.serialize_field("salt", &hexed(&self.0.salt))?;
                data.end()
            }
        }

        struct Signed<'a>(&'a SignedNative);

        impl serde::Serialize for Signed<'_> {
            fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                let mut signed = serializer.serialize_struct("Signed", 4)?;
                signed.serialize_field("data", &Data(&self.0.transaction))?;
                signed.serialize_field("signature", &hexed(&self.0.signature.to_rsv()))?;
                signed.serialize_field("address", &self.0.source)?;
                if self.0.form == SigningForm::Typed {
                    signed.serialize_field("form", "typed")?;
                }
                signed.end()
            }
        }

        if self.form == SigningForm::Legacy {
            let mut legacy = serializer.serialize_struct("Legacy", 2)?;
            legacy.serialize_field("recipient", &H160::zero())?;
            legacy.serialize_field("tx", &Signed(self))?;
            legacy.end()
        } else {
            Signed(self).serialize(serializer)
        }
    }
}

/// Why a message that was accepted will never be executed. The numbers are what clients see.
#[derive(
    Clone,
    Copy,
    Debug,
    PartialEq,
    Eq,
    Encode,
    Decode,
    DecodeWithMemTracking,
    MaxEncodedLen,
    TypeInfo,
)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[repr(u8)]
pub enum PurgeReason {
    /// Its reference block is too far behind.
    #[codec(index = 1)]
    Outdated = 1,
    /// Its reference block is not on the agreed branch of Ethereum, or older than what is remembered.
    #[codec(index = 2)]
    UnknownReferenceBlock = 2,
    /// There is no such program.
    #[codec(index = 3)]
    UnknownDestination = 3,
    /// The program has not been initialised.
    #[codec(index = 4)]
    UninitializedDestination = 4,
    /// The program cannot pay for the execution.
    #[codec(index = 5)]
    InsufficientExecutableBalance = 5,
    /// Another message has this id: sign with another salt.
    #[codec(index = 6)]
    Duplicate = 6,
    /// The sender, or the program, has as many messages waiting as it may have.
    #[codec(index = 7)]
    OverQuota = 7,
    /// More messages wait than nodes keep.
    #[codec(index = 8)]
    PoolFull = 8,
    /// Longer than a message may be.
    #[codec(index = 9)]
    TooLong = 9,
    /// The sender's deposit is less than the value.
    #[codec(index = 10)]
    InsufficientDeposit = 10,
    /// It carries value. Other implementations refuse that; this one only what the deposit does not cover.
    #[codec(index = 255)]
    NonZeroValue = 255,
}

/// What existing clients are told of a message, signed as a personal message by one validator.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ClientReceipt<'a> {
    /// It was executed.
    Promise {
        /// The message.
        id: MessageId,
        /// What was replied.
        payload: &'a [u8],
        /// ETH that came with it, in wei.
        value: u128,
        /// How it ended.
        code: ReplyCode,
    },
    /// It never will be.
    Purged {
        /// The message.
        id: MessageId,
        /// Why.
        reason: PurgeReason,
    },
}

impl ClientReceipt<'_> {
    /// What clients compute: `keccak256(0x00 ‖ id ‖ blake2b256(payload ‖ value ‖ code))`, or `keccak256(0x01 ‖ id ‖ reason)`.
    pub fn hash(&self) -> H256 {
        match self {
            Self::Promise {
                id,
                payload,
                value,
                code,
            } => {
                let reply = blake2b256([*payload, &value.to_be_bytes(), &code.0]);
                keccak256([&[0][..], id.as_ref(), reply.as_bytes()])
            }
            Self::Purged { id, reason } => keccak256([&[1][..], id.as_ref(), &[*reason as u8]]),
        }
    }

    /// The 32 bytes that the validator signs.
    pub fn digest(&self) -> H256 {
        personal_message(self.hash())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    // Known answers of the published client library's own test, whose key is the first development account.
    const SECRET: &str = "ac0974bec39a17e36ba4a6b4d238ff944bacb478cbed5efcae784d7bf4f2ff80";
    const ID: &str = "3da340a094072196a9067c7ddc4c76e1783596464887c8b9a66c4a656f22f633";
    const DIGEST: &str = "35660346f1a37c854ea6efd25fc91f8f0100e9253e6b0c84feb72c125c753cb2";
    const SIGNATURE: &str = "63d2e2167c42a0e94ed69698f80f08d4aac99e011fe9e4ffc10c2ca3fcc3180829bd94e70113853d07ee1c1007e059f6fd365ab817bd80e354c018fdea1ac9921c";
    const RECEIPT: &str = "f00b6575adf81a1aca9e07c579ea6719e52a1475524884ac386254cbdb83ac1b";
    const RECEIPT_SIGNATURE: &str = "413d208cb9673e6873fa433270c9e04db033ce6641efae49ff73717adb436b627935431ff1b7d4a891bd28fb603bc0cd97ec26baed23849a637554f9703ef2541c";

    fn domain(chain_id: u64) -> RouterDomain {
        RouterDomain {
            chain_id,
            router: H160::repeat_byte(0x70),
        }
    }

    fn secret() -> [u8; 32] {
        hex::decode(SECRET).unwrap().try_into().unwrap()
    }

    fn signature(text: &str) -> CompactSignature {
        CompactSignature::from_rsv(&hex::decode(text).unwrap().try_into().unwrap()).unwrap()
    }

    fn known() -> NativeTransaction {
        NativeTransaction {
            destination: H160::zero(),
            payload: vec![0, 1, 2],
            value: 256,
            reference_block: H256::zero(),
            salt: vec![3, 4, 5],
        }
    }

    #[test]
    fn a_client_s_message_has_the_client_s_id_and_signer() {
        let address = crate::signature::address_of_secret(&secret()).unwrap();
        let signed = SignedNative {
            transaction: known(),
            form: SigningForm::Versioned,
            source: address,
            signature: signature(SIGNATURE),
        };
        let plain = keccak256([signed.transaction.preimage(SigningForm::Versioned)]);
        assert_eq!(hex::encode(plain), DIGEST);
        assert!(signed.is_signed(&domain(1)));
        assert_eq!(hex::encode(signed.id(&domain(1)).0), ID);
        let stolen = SignedNative {
            source: H160::repeat_byte(1),
            ..signed
        };
        assert!(!stolen.is_signed(&domain(1)));
    }

    #[test]
    fn it_is_written_as_clients_write_it() {
        let signed = |form| SignedNative {
            transaction: known(),
            form,
            source: H160::repeat_byte(1),
            signature: signature(SIGNATURE),
        };
        let versioned = serde_json::to_value(signed(SigningForm::Versioned)).unwrap();
        let expected = serde_json::json!({
            "data": {
                "destination": H160::zero(), "payload": "0x000102", "value": 256,
                "reference_block": H256::zero(), "salt": "0x030405",
            },
            "signature": format!("0x{SIGNATURE}"),
            "address": H160::repeat_byte(1),
        });
        assert_eq!(versioned, expected);
        assert_eq!(
            serde_json::to_value(signed(SigningForm::Legacy)).unwrap(),
            serde_json::json!({ "recipient": H160::zero(), "tx": expected })
        );
        let typed = serde_json::to_value(signed(SigningForm::Typed)).unwrap();
        assert_eq!(typed["form"], "typed");
    }

    #[test]
    fn a_client_reads_a_promise() {
        let receipt = ClientReceipt::Promise {
            id: MessageId(H256::from_slice(&hex::decode(ID).unwrap())),
            payload: &[0, 1, 2],
            value: 256,
            code: ReplyCode::SUCCESS_MANUAL,
        };
        assert_eq!(hex::encode(receipt.hash()), RECEIPT);
        let address = crate::signature::address_of_secret(&secret()).unwrap();
        let signature = signature(RECEIPT_SIGNATURE);
        assert_eq!(signature.recover(receipt.digest()), Ok(address));
        let purged = |reason| ClientReceipt::Purged {
            id: MessageId::zero(),
            reason,
        };
        assert_ne!(
            purged(PurgeReason::Outdated).hash(),
            purged(PurgeReason::NonZeroValue).hash()
        );
    }

    #[test]
    fn every_field_counts_in_every_form() {
        let one = known();
        let others = [
            NativeTransaction {
                destination: H160::repeat_byte(1),
                ..one.clone()
            },
            NativeTransaction {
                payload: vec![0, 1],
                ..one.clone()
            },
            NativeTransaction {
                value: 257,
                ..one.clone()
            },
            NativeTransaction {
                reference_block: H256::repeat_byte(1),
                ..one.clone()
            },
            NativeTransaction {
                salt: vec![3, 4],
                ..one.clone()
            },
        ];
        let source = H160::repeat_byte(9);
        for form in [
            SigningForm::Versioned,
            SigningForm::Legacy,
            SigningForm::Typed,
        ] {
            for other in &others {
                assert_ne!(
                    one.digest(form, &domain(1)),
                    other.digest(form, &domain(1)),
                    "{form:?} {other:?}"
                );
                assert_ne!(
                    one.id(form, &domain(1), source),
                    other.id(form, &domain(1), source)
                );
            }
        }
    }

    #[test]
    fn the_typed_form_belongs_to_a_network_and_a_signer() {
        let one = known();
        let typed = SigningForm::Typed;
        assert_ne!(one.digest(typed, &domain(1)), one.digest(typed, &domain(2)));
        let id = |source| one.id(typed, &domain(1), H160::repeat_byte(source));
        assert_ne!(id(1), id(2));
        let digest = one.digest(typed, &domain(1));
        let signed = SignedNative {
            signature: CompactSignature::sign(&secret(), digest).unwrap(),
            source: crate::signature::address_of_secret(&secret()).unwrap(),
            transaction: one,
            form: typed,
        };
        assert!(signed.is_signed(&domain(1)));
        assert!(!signed.is_signed(&domain(2)));
        let id = signed.id(&domain(1));
        assert!(signed.into_message(id).receipt_only);
    }

    #[test]
    fn what_is_too_long_is_seen() {
        let mut long = known();
        assert!(long.is_sized());
        long.salt = vec![0; MAX_SALT + 1];
        assert!(!long.is_sized());
        long.salt.clear();
        long.payload = vec![0; MAX_PAYLOAD + 1];
        assert!(!long.is_sized());
    }
}
