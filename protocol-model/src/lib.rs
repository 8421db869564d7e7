//! The protocol between chain, executors and Ethereum as a model, explored exhaustively within small bounds by
//! [stateright](https://docs.rs/stateright). No product crate depends on it. The rules are those of the protocol; code
//! that has the same rule in the product is named beside each.
//!
//! # Two models
//!
//! * [`anchors`]: validators' views, the anchor, rewinds, finality, a change of the set. Four validators; three are
//!   honest, and what the fourth says is chosen anew at each block of the chain, invented Ethereum blocks included.
//! * [`settlement`]: Ethereum as a tree in which every block has an event, rounds with native messages, batches, the
//!   Router on every branch, the outbox, elections and handover. An anchor may be *any* block of the tree at *any* time,
//!   which is more than [`anchors`] lets happen, so what holds here holds with the real anchors.
//!
//! # What is shown of every reachable state
//!
//! * What is applied on a branch of Ethereum is one chain: each batch names the one before, nonces have no gap. It
//!   consists of that branch's events, each once and in order, none left out. Outbox items are applied once, in order.
//! * Honest validators sign what they find when they execute a round or build a batch. Whoever does so later, or again,
//!   finds the same: so there are no two statements of one key, none that differs from the quorum's, and none for a
//!   block that is no seal.
//! * Each native message of the chain is in the newest outcome exactly once, in the chain's order, or waits for the
//!   cursor; and on each branch's Router once or not yet.
//! * Whatever branch wins, if validators and a relayer do their work from then on, then within ten Ethereum blocks
//!   another batch is applied, and with it everything is that was known: events, natives, outbox, the newest set.
//! * What users were paid, programs own, and is on its way, is what was deposited, at every block of every branch.
//! * Members of the set that a Router may still ask have not ended their duty.
//!
//! `always` properties say so; `sometimes` properties show that the states are among them that once broke the protocol:
//! coming back to a branch after a batch of it was applied, two batches on one parent, one batch in two blocks, expiry,
//! natives that wait for the cursor and are executed again with another result, a handover that is signed again.
//!
//! # That the models can fail
//!
//! Each [`Clause`] can be left out. For each there is a test that the checker then finds a violation.
//!
//! # What is left out, and why that is sound
//!
//! * *Who signs.* A quorum of four are three, at least two of them honest, so the Byzantine validator alone signs nothing
//!   that counts. With two honest ones it makes a quorum on the chain, or only for a relayer of its own, so that the chain
//!   does not know. Two tests have each vote as a step; in the others a batch may be applied as soon as it can be built,
//!   or later, or never. What the Byzantine validator does as a block's author (natives, seals, old natives again) and as
//!   a relayer (any batch that verifies, on any branch) is what the model does anyway.
//! * *When a batch is signed.* It depends on its seal alone (which is checked), so with [`settlement::Seals::Any`] it is
//!   signed when it is first used, and each block may have been a seal, however many are in flight. With
//!   [`settlement::Seals::Few`] seals and votes are steps of their own, with a limit on seals in flight.
//! * *Blocks that nobody needs yet.* An Ethereum block comes when it is the next anchor or below it. Had it come before,
//!   nothing would have been different. One test does without this, and without the choice above.
//! * *Names of blocks.* States that differ only in what Ethereum's blocks are called are one, as are those that differ in
//!   the order of honest validators.
//! * *GRANDPA* finalises a seal when it is voted on; if it stalls, that step does not come. What is not final may be given
//!   up at any time.
//! * *What the Router holds at an anchor* the chain knows at once. If it learns it later, it makes seals later.
//! * *Ethereum's time* is its block number. Gas and bytes are numbers of messages and of outbox items, so that batches
//!   end before their seal's round and natives outgrow a round's allowance.
//! * *Execution* is the list of what was executed. A native message pays if there is something to pay from, so its
//!   result depends on the events before it. Queues, programs and randomness follow from that list.
//! * *A set's keys after its duty* may be in anybody's hands. It is enough that no branch that can still win asks them.
//! * *Not in the model*: `maxStaleness` and governance's recovery call; promises and Aura's faults (their proof is two
//!   signatures on one slot, whatever else happens); which Ethereum facts change stake (final ones only).
//!
//! # What it has found
//!
//! How a certified, finalised result can be reversed, which the protocol does not say in full:
//!
//! * Its anchor is left and comes back. If the anchor was rewound to an *ancestor* in between, the rounds from there are
//!   newer, and rounds after the return are based on them. That the anchor is canonical now is therefore not enough.
//! * A batch is applied whose seal is older than the result, on a path of rounds that was left before it, while the batch
//!   has not expired. It needs a rewind to a common ancestor before the result, and nothing after it: take a batch sealed
//!   at A1, a rewind to A1's parent, a native executed and certified there, and Ethereum that goes on from A1 with the
//!   batch in A2. The native is executed again, after A1's events.
//!
//! There is no other way: that is one of the `always` properties, and the two ways are `sometimes` properties. Nothing of
//! this is applied on Ethereum twice, lost, or provable against anybody.

pub mod anchors;
mod clause;
pub mod ethereum;
mod explore;
pub mod log;
pub mod settlement;

pub use clause::Clause;
pub use explore::{Found, explore};
