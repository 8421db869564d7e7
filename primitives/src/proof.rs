//! Proofs of what a state holds: a page of memory, a message, a balance, or that there is no such thing.
//!
//! A state root names an object by its hash, that names others, and so on down to every page and message. A proof is the
//! bytes of the objects on the way. The verifier walks the same way, by its own claim and not by anything that the proof
//! says, and checks every object against the hash that the one before it has; it needs nothing but a hash function
//! ([`Kind::hash`]). The executor makes proofs by walking its store with the very same code ([`follow`]).
//!
//! Types of which only the beginning is read here are the executor's `state` types of the same name.

mod kind;
mod node;

pub use kind::{Kind, Values, hash};
pub use node::{BUCKET, Branch, Child, Entry, INLINE, Node, Value, WIDTH, common, digit, prefix};

use crate::ids::{ActorId, CodeId, MessageId};
use alloc::vec::Vec;
use codec::{Decode, Encode};
use core::fmt;
use primitive_types::H256;

/// Most objects of a proof. The way to anything is shorter, also in a state that was made to be deep.
pub const MAX_OBJECTS: usize = 512;
/// Most bytes of a proof's objects together.
pub const MAX_BYTES: usize = 8 << 20;
/// Gear pages of a program's memory.
const PAGES: u32 = 16 * 8_192;

/// What is to be proved of a state.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Encode, Decode)]
pub enum Claim {
    /// A program's code and the hash of its state.
    Program(ActorId),
    /// A program's balances.
    Balances(ActorId),
    /// A page (16 KiB) of a program's memory, by its number.
    Page {
        /// The program.
        program: ActorId,
        /// Number of the page.
        page: u32,
    },
    /// A message in a program's queue, by its place: the executor tells the place of a message.
    Queued {
        /// The program.
        program: ActorId,
        /// Its place.
        place: u64,
    },
    /// A message that a program lets wait.
    Waiting {
        /// The program.
        program: ActorId,
        /// The message.
        message: MessageId,
    },
    /// A delayed message.
    Stashed {
        /// The program that keeps it: its destination, or its sender if it goes to a user.
        program: ActorId,
        /// The message.
        message: MessageId,
    },
    /// A message in a user's mailbox.
    Mail {
        /// The program that sent it.
        program: ActorId,
        /// The user.
        user: ActorId,
        /// The message.
        message: MessageId,
    },
}

impl Claim {
    /// The program that it is about.
    pub fn program(&self) -> ActorId {
        match self {
            Self::Program(program)
            | Self::Balances(program)
            | Self::Page { program, .. }
            | Self::Queued { program, .. }
            | Self::Waiting { program, .. }
            | Self::Stashed { program, .. }
            | Self::Mail { program, .. } => *program,
        }
    }
}

/// What was proved.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
pub enum Proven {
    /// That there is no such program, or nothing of this kind in it. Of a page: that it is as it was when the program was
    /// created, or that the program has no memory any more.
    Nothing,
    /// A program.
    Program {
        /// Its code.
        code_id: CodeId,
        /// Hash of its state.
        state_hash: H256,
    },
    /// A program's balances.
    Balances {
        /// ETH that it owns, in wei.
        owned: u128,
        /// wVARA that pays for its gas, in base units.
        executable: u128,
    },
    /// A page's bytes.
    Page(Vec<u8>),
    /// A message, SCALE-encoded as the executor keeps it: a `Dispatch` in a queue; in the other places an `Expiring` with
    /// the Ethereum block at which its time there ends. A long payload is named by its BLAKE2b-256.
    Message(Vec<u8>),
}

/// The objects on the way from a state root to what is proved.
#[derive(Clone, Debug, Default, PartialEq, Eq, Encode, Decode)]
pub struct Proof {
    /// The root's object first.
    pub objects: Vec<Vec<u8>>,
}

impl Proof {
    /// Decodes a proof from outside.
    ///
    /// # Errors
    ///
    /// [`ProofError::TooLarge`], or [`ProofError::Malformed`] if this is no proof.
    pub fn from_bytes(mut bytes: &[u8]) -> Result<Self, ProofError> {
        // Each object brings its length.
        if bytes.len() > MAX_BYTES + 4 * MAX_OBJECTS + 4 {
            return Err(ProofError::TooLarge);
        }
        let proof = Self::decode(&mut bytes).map_err(|_| ProofError::Malformed)?;
        if !bytes.is_empty() {
            return Err(ProofError::Malformed);
        }
        proof.check_size()?;
        Ok(proof)
    }

    fn check_size(&self) -> Result<(), ProofError> {
        let bytes = self.objects.iter().map(Vec::len).sum::<usize>();
        if self.objects.len() > MAX_OBJECTS || bytes > MAX_BYTES {
            return Err(ProofError::TooLarge);
        }
        Ok(())
    }
}

/// Why a proof proves nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ProofError {
    /// More than [`MAX_OBJECTS`] or [`MAX_BYTES`].
    TooLarge,
    /// An object has not the hash that the one before it names: it was changed, or the proof is of another state or thing.
    Hash {
        /// The hash that is needed.
        expected: H256,
        /// The object's place in the proof.
        index: usize,
    },
    /// It ends too early.
    Missing(H256),
    /// It goes on after what is proved.
    Excess,
    /// An object is not what it should be: the root is none of a state, or the prover has another version.
    Malformed,
}

impl fmt::Display for ProofError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::TooLarge => write!(
                f,
                "the proof has more than {MAX_OBJECTS} objects or {MAX_BYTES} bytes"
            ),
            Self::Hash { expected, index } => write!(
                f,
                "object {index} of the proof has not the hash {expected:?}; ask another node"
            ),
            Self::Missing(hash) => write!(f, "the proof lacks the object {hash:?}"),
            Self::Excess => f.write_str("the proof goes on after what it proves"),
            Self::Malformed => f.write_str(
                "the proof holds an object of an unknown kind: is the root that of a state?",
            ),
        }
    }
}

impl core::error::Error for ProofError {}

/// Where objects come from while a claim is followed.
pub trait Objects {
    /// What can go wrong.
    type Error: From<ProofError>;

    /// The object of this kind with this hash, checked.
    ///
    /// # Errors
    ///
    /// There is no such object.
    fn object(&mut self, kind: Kind, hash: H256) -> Result<Vec<u8>, Self::Error>;
}

/// The objects of a proof, in order.
struct InOrder<'a> {
    objects: &'a [Vec<u8>],
    next: usize,
}

impl Objects for InOrder<'_> {
    type Error = ProofError;

    fn object(&mut self, kind: Kind, expected: H256) -> Result<Vec<u8>, ProofError> {
        let index = self.next;
        let object = self
            .objects
            .get(index)
            .ok_or(ProofError::Missing(expected))?;
        if kind.hash(object) != expected {
            return Err(ProofError::Hash { expected, index });
        }
        self.next += 1;
        Ok(object.clone())
    }
}

/// What `proof` proves of `claim` for the state behind `root`. The empty state has the zero hash, and needs no objects.
///
/// # Errors
///
/// [`ProofError`]: nothing is proved then.
pub fn verify(root: H256, claim: &Claim, proof: &Proof) -> Result<Proven, ProofError> {
    proof.check_size()?;
    let mut objects = InOrder {
        objects: &proof.objects,
        next: 0,
    };
    let proven = follow(&mut objects, root, claim)?;
    if objects.next < proof.objects.len() {
        return Err(ProofError::Excess);
    }
    Ok(proven)
}

/// The bytes of a page; nothing if it is as it was when the program was created.
///
/// # Errors
///
/// [`ProofError`]: nothing is proved then.
pub fn verify_page(
    root: H256,
    program: ActorId,
    page: u32,
    proof: &Proof,
) -> Result<Option<Vec<u8>>, ProofError> {
    match verify(root, &Claim::Page { program, page }, proof)? {
        Proven::Page(bytes) => Ok(Some(bytes)),
        _ => Ok(None),
    }
}

/// ETH that a program owns (in wei) and wVARA that pays for its gas (in base units); nothing if there is no such program.
///
/// # Errors
///
/// [`ProofError`]: nothing is proved then.
pub fn verify_balances(
    root: H256,
    program: ActorId,
    proof: &Proof,
) -> Result<Option<(u128, u128)>, ProofError> {
    match verify(root, &Claim::Balances(program), proof)? {
        Proven::Balances { owned, executable } => Ok(Some((owned, executable))),
        _ => Ok(None),
    }
}

/// A queued, waiting, delayed or mailbox message as the executor keeps it; nothing if it is not there.
///
/// # Errors
///
/// [`ProofError`]: nothing is proved then. [`ProofError::Malformed`] also if the claim is about no message.
pub fn verify_message(
    root: H256,
    claim: &Claim,
    proof: &Proof,
) -> Result<Option<Vec<u8>>, ProofError> {
    match verify(root, claim, proof)? {
        Proven::Message(bytes) => Ok(Some(bytes)),
        Proven::Nothing
            if matches!(
                claim,
                Claim::Queued { .. }
                    | Claim::Waiting { .. }
                    | Claim::Stashed { .. }
                    | Claim::Mail { .. }
            ) =>
        {
            Ok(None)
        }
        _ => Err(ProofError::Malformed),
    }
}

/// Succeeds if there is no such program.
///
/// # Errors
///
/// [`ProofError`]: nothing is proved then. [`ProofError::Malformed`] also if it proves that there is one.
pub fn verify_absence(root: H256, program: ActorId, proof: &Proof) -> Result<(), ProofError> {
    match verify(root, &Claim::Program(program), proof)? {
        Proven::Nothing => Ok(()),
        _ => Err(ProofError::Malformed),
    }
}

/// How the object behind a state root begins.
#[derive(Decode)]
struct RootHead {
    programs: Option<H256>,
}

#[derive(Decode)]
struct Record {
    code_id: CodeId,
    state_hash: H256,
}

#[derive(Decode)]
struct Queue {
    hash: Option<H256>,
    _length: u8,
}

#[derive(Decode)]
enum Program {
    Active {
        _allocations: Option<H256>,
        pages: Option<H256>,
        _infix: u32,
        _initialized: bool,
    },
    Exited {
        _heir: ActorId,
    },
    Terminated {
        _origin: ActorId,
    },
}

/// How a program's state begins.
#[derive(Decode)]
struct StateHead {
    program: Program,
    queue: Queue,
    _native: Queue,
    waitlist: Option<H256>,
    stash: Option<H256>,
    mailbox: Option<H256>,
    owned: u128,
    executable: u128,
}

/// The beginning of an object.
fn head<T: Decode>(mut bytes: &[u8]) -> Result<T, ProofError> {
    T::decode(&mut bytes).map_err(|_| ProofError::Malformed)
}

/// A whole object.
fn whole<T: Decode>(mut bytes: &[u8]) -> Result<T, ProofError> {
    let value = T::decode(&mut bytes).map_err(|_| ProofError::Malformed)?;
    if bytes.is_empty() {
        Ok(value)
    } else {
        Err(ProofError::Malformed)
    }
}

/// Walks from a state root to what `claim` is about, and says what is there.
///
/// # Errors
///
/// Those of `objects`, and [`ProofError::Malformed`] if one is not what it should be.
pub fn follow<O: Objects>(objects: &mut O, root: H256, claim: &Claim) -> Result<Proven, O::Error> {
    if root.is_zero() {
        return Ok(Proven::Nothing);
    }
    let top: RootHead = head(&objects.object(Kind::Root, root)?)?;
    let key = claim.program();
    let Some(record) = entry(objects, Values::Programs, top.programs, key.as_ref())? else {
        return Ok(Proven::Nothing);
    };
    let Record {
        code_id,
        state_hash,
    } = whole(&record)?;
    if matches!(claim, Claim::Program(_)) {
        return Ok(Proven::Program {
            code_id,
            state_hash,
        });
    }
    let state: StateHead = head(&objects.object(Kind::State, state_hash)?)?;
    let message = match claim {
        Claim::Program(_) | Claim::Balances(_) => {
            return Ok(Proven::Balances {
                owned: state.owned,
                executable: state.executable,
            });
        }
        Claim::Page { page, .. } => {
            let pages = match state.program {
                Program::Active { pages, .. } => pages,
                Program::Exited { .. } | Program::Terminated { .. } => None,
            };
            return Ok(match page_hash(objects, pages, *page)? {
                Some(hash) => Proven::Page(objects.object(Kind::Bytes, hash)?),
                None => Proven::Nothing,
            });
        }
        Claim::Queued { place, .. } => {
            let key = place.to_be_bytes();
            entry(objects, Values::Queue, state.queue.hash, &key)?
        }
        Claim::Waiting { message, .. } => {
            entry(objects, Values::Waiting, state.waitlist, message.as_ref())?
        }
        Claim::Stashed { message, .. } => {
            entry(objects, Values::Stash, state.stash, message.as_ref())?
        }
        Claim::Mail { user, message, .. } => {
            match entry(objects, Values::Mailbox, state.mailbox, user.as_ref())? {
                Some(own) => {
                    let own = Some(whole(&own)?);
                    entry(objects, Values::Mail, own, message.as_ref())?
                }
                None => None,
            }
        }
    };
    Ok(message.map_or(Proven::Nothing, Proven::Message))
}

/// The value of a key in the map behind a hash.
fn entry<O: Objects>(
    objects: &mut O,
    values: Values,
    map: Option<H256>,
    key: &[u8],
) -> Result<Option<Vec<u8>>, O::Error> {
    let mut next = map;
    let mut least = 0;
    while let Some(hash) = next {
        match whole(&objects.object(Kind::Node(values), hash)?)? {
            Node::Bucket(entries) => {
                let found = entries.into_iter().find(|entry| entry.key == key);
                return match found.map(|entry| entry.value) {
                    None => Ok(None),
                    Some(Value::Here(bytes)) => Ok(Some(bytes)),
                    Some(Value::Apart(hash)) => objects.object(Kind::Value(values), hash).map(Some),
                };
            }
            Node::Branch(branch) => {
                // Each lies deeper than the one above: the way ends.
                if branch.at < least {
                    return Err(ProofError::Malformed.into());
                }
                least = branch.at.saturating_add(1);
                if !branch.leads_to(key) {
                    return Ok(None);
                }
                next = branch.child(key).map(|child| child.hash);
            }
        }
    }
    Ok(None)
}

/// Hashes of those children that there are, in a node of the tree of pages: the lowest bit stands for the first.
#[derive(Decode)]
struct Few {
    present: u32,
    hashes: Vec<H256>,
}

impl Few {
    fn child(&self, index: u32) -> Result<Option<H256>, ProofError> {
        if self.present.count_ones() as usize != self.hashes.len() {
            return Err(ProofError::Malformed);
        }
        if self.present >> index & 1 == 0 {
            return Ok(None);
        }
        let before = (self.present & ((1 << index) - 1)).count_ones();
        Ok(self.hashes.get(before as usize).copied())
    }
}

#[derive(Decode)]
struct Region {
    first: u32,
    parts: Few,
}

/// The hash of a page in the tree behind `pages`: sixteen regions of 32 parts of 16 groups of 16 pages.
fn page_hash<O: Objects>(
    objects: &mut O,
    pages: Option<H256>,
    page: u32,
) -> Result<Option<H256>, O::Error> {
    let Some(tree) = pages.filter(|_| page < PAGES) else {
        return Ok(None);
    };
    let regions: [Option<H256>; 16] = whole(&objects.object(Kind::Pages(0), tree)?)?;
    let index = page / 8_192;
    let Some(region) = regions.get(index as usize).copied().flatten() else {
        return Ok(None);
    };
    let region: Region = whole(&objects.object(Kind::Pages(1), region)?)?;
    if region.first != index * 8_192 {
        return Err(ProofError::Malformed.into());
    }
    let mut next = region.parts.child(page / 256 % 32)?;
    for (level, span) in [(2, 16), (3, 1)] {
        let Some(hash) = next else {
            break;
        };
        let few: Few = whole(&objects.object(Kind::Pages(level), hash)?)?;
        next = few.child(page / span % 16)?;
    }
    Ok(next)
}
