//! Clauses of the protocol that the models can do without, one at a time. Each must be missed: without it the checker
//! finds a violation, which shows that the model is able to find one, and what the clause is for.

/// A clause of protocol.md.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Clause {
    /// §2: a view counts only if its `seq` is greater. Without it whoever has seen an old view can send it again.
    Sequence,
    /// §1: votes of an older set are void. Without it they count until their seat votes anew.
    VotesOfOldSetsAreVoid,
    /// §2: a view supports its tip *and all ancestors*. Without it heads are counted one by one.
    AncestorsAreSupported,
    /// §1: more than two thirds. Without it half is enough.
    TwoThirds,
    /// §2: the anchor is rewound only if a quorum's tips conflict with it. Without it whatever has the highest support
    /// is followed.
    RewindNeedsConflict,
    /// §2: what a quorum has reported final stays. Without it the anchor may go below.
    FinalStays,
    /// §3: outcomes are stored by block hash and nothing is overwritten. Without it the rounds of a branch that
    /// Ethereum has left are executed again under their old hashes, and signed again.
    OutcomesStay,
    /// §3: the base's path holds the batch that the Router holds at the anchor. Without it only the base's anchor counts.
    BaseHoldsTheRoutersBatch,
    /// §3: natives of the blocks that a base skips are taken in again. Without it they are not.
    NativesAreTakenAgain,
    /// §3: a native is checked once, when its block is built. Without it its window is measured again when it is taken
    /// in again.
    CheckedOnce,
    /// §3: a native's window, and how long it counts as seen, are measured against the highest anchor number ever.
    /// Without it against the anchor, which a rewind takes back.
    HighestAnchorEver,
    /// §5: a batch is built on what the Router holds at the seal's anchor. Without it on the newest batch that the
    /// signer has seen applied.
    BuiltOnTheSealsAnchor,
    /// §5: only GRANDPA-finalised seals are worked on.
    OnlyFinalisedSeals,
    /// §5: expired seals are not in flight. Without it they are waited for.
    ExpiredIsNotInFlight,
    /// §5: the Router checks the parent.
    RouterChecksParent,
    /// §5: the Router checks that the anchor is its ancestor.
    RouterChecksAnchor,
    /// §5: an outbox item is deleted when its batch is in a final Ethereum block. Without it as soon as it is applied.
    OutboxIsKeptUntilFinal,
    /// §5: the Router stores the outbox's cursor and batches begin there. Without it each batch carries what the chain
    /// still keeps.
    OutboxCursor,
    /// §5: the set that the Router holds at the seal's anchor signs. Without it the chain's current set.
    RoutersSetSigns,
    /// §5: a set's duty ends when the handover is in a *final* Ethereum block. Without it when it is applied.
    DutyUntilFinal,
    /// §5: while a handover is not applied, a newer election replaces its content; one that is applied is followed by
    /// another. Without it the item is replaced even where it has been applied.
    NewestSetIsHandedTo,
}
