//! What nodes ask each other: `/<genesis>/gear-exe/state/1`, one question and one answer on a stream of its own.
//!
//! Everything is bounded while it decodes, by numbers that are here: nothing that a peer says costs more memory than what
//! it has sent. What an answer says is believed only as far as it verifies ([`client`](super::client)).

use codec::{Compact, Decode, Encode, EncodeLike, Error, Input};
use gear_exe_primitives::{
    CodeId, H256,
    certificate::{Certificate, outcome_root},
    proof::Kind,
};

/// Longest question, in bytes.
pub const MAX_REQUEST: usize = 32 << 10;
/// Longest answer, in bytes.
pub const MAX_RESPONSE: usize = 1 << 20;
/// Objects that are asked for at a time.
pub const MAX_WANTED: usize = 512;
/// Bytes of an object that are answered at a time, if it does not fit an answer with others.
pub const PART: usize = 768 << 10;
/// Bytes of objects in an answer: the rest is for what stands around them.
pub const MAX_OBJECTS: usize = MAX_RESPONSE - (32 << 10);

/// The protocol's name on the chain with this genesis.
pub fn name(genesis: H256) -> String {
    format!("/{}/gear-exe/state/1", hex::encode(genesis))
}

/// A list of no more than `MOST` items.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Few<T, const MOST: usize>(Vec<T>);

impl<T, const MOST: usize> Few<T, MOST> {
    /// The first of these, as many as there may be.
    pub fn of(mut items: Vec<T>) -> Self {
        items.truncate(MOST);
        Self(items)
    }

    /// The items.
    pub fn into_inner(self) -> Vec<T> {
        self.0
    }
}

impl<T: Encode, const MOST: usize> Encode for Few<T, MOST> {
    fn encode_to<O: codec::Output + ?Sized>(&self, into: &mut O) {
        self.0.encode_to(into);
    }
}

impl<T: Encode, const MOST: usize> EncodeLike for Few<T, MOST> {}

impl<T: Decode, const MOST: usize> Decode for Few<T, MOST> {
    fn decode<I: Input>(input: &mut I) -> Result<Self, Error> {
        let count = Compact::<u32>::decode(input)?.0 as usize;
        if count > MOST {
            return Err("too many".into());
        }
        // Grows with what is there, not with what is said.
        let mut items = Vec::new();
        for _ in 0..count {
            items.push(T::decode(input)?);
        }
        Ok(Self(items))
    }
}

/// Something that has its hash for a name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Encode, Decode)]
pub enum Wanted {
    /// An object of a state.
    #[codec(index = 0)]
    Object(H256),
    /// The WASM of a code.
    #[codec(index = 1)]
    Code(CodeId),
}

impl Wanted {
    /// What is asked for to get an object of this kind.
    pub const fn of(kind: Kind, hash: H256) -> Self {
        match kind {
            Kind::Code => Self::Code(CodeId(hash)),
            _ => Self::Object(hash),
        }
    }
}

/// A question.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
pub enum Request {
    /// What came out of the round of this block: a certificate and its parts. Answered by [`Response::Round`].
    #[codec(index = 0)]
    Round(H256),
    /// Objects and codes. Answered by [`Response::Objects`], in the same order.
    #[codec(index = 1)]
    Objects(Few<Wanted, MAX_WANTED>),
    /// Up to [`PART`] bytes of one that is too long, from an offset on. Answered by [`Response::Part`].
    #[codec(index = 2)]
    Part(Wanted, u32),
    /// The batch with this digest. Answered by [`Response::Batch`].
    #[codec(index = 3)]
    Batch(H256),
}

/// A round that a quorum has certified, from whoever has the state after it.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
pub struct Offer {
    /// The quorum's word.
    pub certificate: Certificate,
    /// Root over the receipts.
    pub receipts: H256,
    /// Root of the state.
    pub state: H256,
    /// Hash over the transitions.
    pub transitions: H256,
}

impl Offer {
    /// Whether the parts are those of what the quorum has signed.
    pub fn is_consistent(&self) -> bool {
        outcome_root(self.receipts, self.state, self.transitions)
            == self.certificate.statement.outcome
    }
}

/// What became of a wish.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
pub enum Found {
    /// Here it is, with the tag of its kind (zero for codes).
    #[codec(index = 0)]
    Whole(u8, Vec<u8>),
    /// It has so many bytes, with the tag of its kind: ask for its parts.
    #[codec(index = 1)]
    Long(u8, u32),
    /// Not here.
    #[codec(index = 2)]
    Missing,
    /// The answer is full: ask again.
    #[codec(index = 3)]
    Later,
}

/// An answer.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
pub enum Response {
    /// Nothing if the round is not known, has no certificate, or its state is not here any more.
    #[codec(index = 0)]
    Round(Option<Offer>),
    /// One for each wish.
    #[codec(index = 1)]
    Objects(Few<Found, MAX_WANTED>),
    /// Empty if it is not here, or has no more bytes.
    #[codec(index = 2)]
    Part(Vec<u8>),
    /// SCALE of the batch; nothing if it is not here.
    #[codec(index = 3)]
    Batch(Option<Vec<u8>>),
}

#[cfg(test)]
mod tests {
    use super::*;
    use codec::DecodeAll;

    #[test]
    fn lists_are_bounded_while_they_decode() {
        let wanted = Wanted::Object(H256::repeat_byte(7));
        let full = Request::Objects(Few::of(vec![wanted; MAX_WANTED + 9]));
        let bytes = full.encode();
        assert!(bytes.len() <= MAX_REQUEST);
        assert_eq!(Request::decode_all(&mut &bytes[..]), Ok(full));
        let mut over = vec![1];
        vec![wanted; MAX_WANTED + 1].encode_to(&mut over);
        assert!(Request::decode_all(&mut &over[..]).is_err());
        // Lengths that nothing stands behind.
        let mut lie = vec![1];
        Compact(u32::MAX).encode_to(&mut lie);
        assert!(Response::decode_all(&mut &lie[..]).is_err());
        let mut lie = vec![1, 4, 0, 0];
        Compact(u32::MAX).encode_to(&mut lie);
        assert!(Response::decode_all(&mut &lie[..]).is_err());
    }

    #[test]
    fn an_answer_that_is_full_fits() {
        let few = MAX_OBJECTS / MAX_WANTED;
        for (count, length) in [(1, MAX_OBJECTS), (MAX_WANTED, few)] {
            let whole = Found::Whole(0, vec![7; length]);
            let answer = Response::Objects(Few::of(vec![whole; count]));
            assert!(answer.encode().len() <= MAX_RESPONSE);
        }
        assert!(Response::Part(vec![0; PART]).encode().len() <= MAX_RESPONSE);
    }

    #[test]
    fn any_bytes_are_read_or_refused() {
        let mut random = 0x9e37_79b9_7f4a_7c15u64;
        for length in 0..2_000usize {
            let bytes: Vec<u8> = (0..length % 97)
                .map(|_| {
                    random ^= random << 13;
                    random ^= random >> 7;
                    random ^= random << 17;
                    (random % 5) as u8
                })
                .collect();
            let _ = Request::decode_all(&mut &bytes[..]);
            let _ = Response::decode_all(&mut &bytes[..]);
        }
    }
}
