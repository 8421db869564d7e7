// SPDX-License-Identifier: GPL-3.0-or-later
pragma solidity ^0.8.30;

/// @title What Router, Mirrors and validators agree on: structures and their hashes
/// @notice Every hash is Keccak-256 over packed fields. The Rust side is `primitives/src/{transition,outbox,batch}.rs`;
/// `primitives/vectors/batches.json` holds worked examples that both sides check.
library Gear {
    /// @notice A batch's calldata is not what an encoder makes: a field beyond its type, or an offset that goes back or
    /// beyond the end.
    error MalformedBatch();

    /// @notice `keccak256` of nothing: the hash of an empty list.
    bytes32 internal constant EMPTY = 0xc5d2460186f7233c927e7db2dcc703c0e500b653ca82273b7bfad8045d85a470;

    /// @notice Who has all deposits: what validators call the one that gives value to programs for users. Nobody has
    /// a key or code at this address.
    address internal constant DEPOSITS = address(0xDE905175);

    /// @notice The EIP-712 type of a batch.
    bytes32 internal constant BATCH_TYPEHASH = keccak256(
        "Batch(bytes32 genesis,uint64 sealNumber,bytes32 sealHash,uint64 lastRound,bytes32 lastRoundHash,uint64 nonce,bytes32 parent,uint64 anchorNumber,bytes32 anchorHash,uint64 setId,bytes32 content,uint64 expiry)"
    );

    /// @notice State of a code.
    enum CodeState {
        Unknown,
        ValidationRequested,
        Validated
    }

    /// @notice Kinds of outbox items. Others are skipped.
    uint8 internal constant CODE_RESULT = 0;
    uint8 internal constant SET_UPDATE = 1;
    uint8 internal constant PARAMETER_CHANGE = 2;
    uint8 internal constant SLASH = 3;
    uint8 internal constant SLASH_CANCEL = 4;
    uint8 internal constant REWARDS = 5;
    uint8 internal constant MINT = 6;
    uint8 internal constant OPERATOR_SET = 7;

    /// @notice To which message something replies, and how that one ended.
    struct ReplyDetails {
        bytes32 to;
        bytes4 code;
    }

    /// @notice A message from a program to an Ethereum address.
    struct Message {
        bytes32 id;
        address destination;
        bytes payload;
        uint128 value;
        ReplyDetails replyDetails;
        bool call;
    }

    /// @notice ETH that a user takes out of a program's mailbox.
    struct ValueClaim {
        bytes32 messageId;
        address destination;
        uint128 value;
    }

    /// @notice One program's change. `valueToReceive` moves between the Router's custody for the program and its
    /// Mirror; `netTransfer` is custody received from other programs less that given to them.
    struct StateTransition {
        address actorId;
        bytes32 newStateHash;
        bool exited;
        address inheritor;
        uint128 valueToReceive;
        bool valueToReceiveNegativeSign;
        int128 netTransfer;
        ValueClaim[] valueClaims;
        Message[] messages;
    }

    /// @notice A program that a program has created: the Router makes its Mirror.
    struct ProgramCreation {
        address creator;
        bytes32 codeId;
        bytes32 salt;
    }

    /// @notice Something else that the chain tells the Router.
    struct OutboxItem {
        uint8 kind;
        bytes data;
    }

    /// @notice A batch: see `docs/protocol.md`.
    struct Batch {
        bytes32 genesis;
        uint64 sealNumber;
        bytes32 sealHash;
        uint64 lastRound;
        bytes32 lastRoundHash;
        uint64 nonce;
        bytes32 parent;
        uint64 anchorNumber;
        bytes32 anchorHash;
        uint64 setId;
        uint64 expiry;
        /// wVARA base units that programs paid.
        uint128 spent;
        uint64 outboxEnd;
        ProgramCreation[] creations;
        StateTransition[] transitions;
        OutboxItem[] outbox;
    }

    /// @notice The last batch that was applied; zero before the first.
    struct AppliedBatch {
        uint64 nonce;
        uint64 sealNumber;
        uint64 lastRound;
        uint64 outboxEnd;
        bytes32 digest;
        bytes32 sealHash;
        bytes32 lastRoundHash;
        bytes32 anchorHash;
        uint64 anchorNumber;
        uint48 timestamp;
        /// wVARA base units that programs paid in all batches so far.
        uint128 spent;
    }

    /// @notice Price of execution as clients read it.
    struct ComputationSettings {
        uint64 threshold;
        uint128 wvaraPerSecond;
    }

    /// @notice Era lengths in seconds, as clients read them.
    struct Timelines {
        uint256 era;
        uint256 election;
        uint256 validationDelay;
    }

    /// @notice A key that this Router does not have; kept for clients that ask.
    struct AggregatedPublicKey {
        uint256 x;
        uint256 y;
    }

    /// @notice The block in which the Router was set up, as clients read it.
    struct GenesisBlockInfo {
        bytes32 hash;
        uint32 number;
        uint48 timestamp;
    }

    /// @notice The last batch, as clients read it.
    struct CommittedBatchInfo {
        bytes32 hash;
        uint48 timestamp;
    }

    /// @notice The contracts around the Router, as clients read them.
    struct AddressBook {
        address mirror;
        address wrappedVara;
        address middleware;
    }

    /// @notice A validator set, as clients read it.
    struct ValidatorsView {
        AggregatedPublicKey aggregatedPublicKey;
        address verifiableSecretSharingCommitmentPointer;
        address[] list;
        uint256 useFromTimestamp;
    }

    /// @notice Who signs batches, as clients read it. The set that signs now is the first; there is no second.
    struct ValidationSettingsView {
        uint128 thresholdNumerator;
        uint128 thresholdDenominator;
        ValidatorsView validators0;
        ValidatorsView validators1;
    }

    /// @notice Hash of one message.
    /// @dev Read by hand, since a batch has many: a field beyond its type, or a payload that is not wholly in calldata
    /// behind the message, is refused as the compiler's decoder would.
    function messageHash(Message calldata message) internal pure returns (bytes32 hash) {
        uint256 malformed;
        assembly ("memory-safe") {
            let destination := calldataload(add(message, 0x20))
            let offset := calldataload(add(message, 0x40))
            let value := calldataload(add(message, 0x60))
            let calls := calldataload(add(message, 0xc0))
            let payload := add(message, and(offset, 0xffffffff))
            let size := calldataload(payload)
            payload := add(payload, 0x20)
            malformed := or(or(shr(160, destination), shr(128, value)), or(shr(32, offset), shr(32, size)))
            malformed := or(malformed, or(shl(32, calldataload(add(message, 0xa0))), shr(1, calls)))
            malformed := or(malformed, gt(add(payload, size), calldatasize()))
            if iszero(malformed) {
                let packed := mload(0x40)
                mstore(packed, calldataload(message))
                mstore(add(packed, 0x20), shl(96, destination))
                calldatacopy(add(packed, 0x34), payload, size)
                let end := add(add(packed, 0x34), size)
                mstore(end, shl(128, value))
                calldatacopy(add(end, 0x10), add(message, 0x80), 0x24)
                mstore8(add(end, 0x34), calls)
                hash := keccak256(packed, add(0x69, size))
            }
        }
        if (malformed != 0) revert MalformedBatch();
    }

    /// @notice Hash of one claim.
    function claimHash(ValueClaim calldata claim) internal pure returns (bytes32) {
        return keccak256(abi.encodePacked(claim.messageId, claim.destination, claim.value));
    }

    /// @notice Hash of one transition.
    function transitionHash(StateTransition calldata transition) internal pure returns (bytes32) {
        requireForward(transition);
        return keccak256(
            abi.encodePacked(
                transition.actorId,
                transition.newStateHash,
                transition.exited,
                transition.inheritor,
                transition.valueToReceive,
                transition.valueToReceiveNegativeSign,
                transition.netTransfer,
                claimsHash(transition.valueClaims),
                messagesHash(transition.messages)
            )
        );
    }

    /// @notice Hash of one outbox item.
    function itemHash(OutboxItem calldata item) internal pure returns (bytes32) {
        return keccak256(abi.encodePacked(item.kind, keccak256(item.data)));
    }

    /// @notice Hash of one creation.
    function creationHash(ProgramCreation calldata creation) internal pure returns (bytes32) {
        return keccak256(abi.encodePacked(creation.creator, creation.codeId, creation.salt));
    }

    /// @notice Hash of creations, transitions, what programs paid, outbox cursor and outbox items.
    function contentHash(Batch calldata batch) internal pure returns (bytes32) {
        uint256 count = batch.creations.length;
        uint256 list = newList(count);
        for (uint256 i = 0; i < count; ++i) {
            set(list, i, creationHash(batch.creations[i]));
        }
        bytes32 creations = listHash(list, count);
        count = batch.transitions.length;
        list = newList(count);
        for (uint256 i = 0; i < count; ++i) {
            set(list, i, transitionHash(batch.transitions[i]));
        }
        bytes32 transitions = listHash(list, count);
        count = batch.outbox.length;
        list = newList(count);
        for (uint256 i = 0; i < count; ++i) {
            set(list, i, itemHash(batch.outbox[i]));
        }
        return keccak256(abi.encodePacked(creations, transitions, batch.spent, batch.outboxEnd, listHash(list, count)));
    }

    function claimsHash(ValueClaim[] calldata claims) private pure returns (bytes32) {
        uint256 list = newList(claims.length);
        for (uint256 i = 0; i < claims.length; ++i) {
            set(list, i, claimHash(claims[i]));
        }
        return listHash(list, claims.length);
    }

    function messagesHash(Message[] calldata messages) private pure returns (bytes32) {
        uint256 count = messages.length;
        uint256 list = newList(count);
        for (uint256 i = 0; i < count; ++i) {
            Message calldata message;
            uint256 malformed;
            assembly ("memory-safe") {
                let offset := calldataload(add(messages.offset, shl(5, i)))
                message := add(messages.offset, and(offset, 0xffffffff))
                malformed := or(shr(32, offset), gt(add(message, 0xe0), calldatasize()))
            }
            if (malformed != 0) revert MalformedBatch();
            set(list, i, messageHash(message));
        }
        return listHash(list, count);
    }

    /// @dev The Router hands a transition to its Mirror as the bytes that follow the transition's start. They mean the
    /// same there only if nothing in it lies before that start, so offsets that go back, which the compiler's decoder
    /// would follow, are refused here and in the lists.
    function requireForward(StateTransition calldata transition) private pure {
        uint256 malformed;
        assembly ("memory-safe") {
            malformed := or(shr(32, calldataload(add(transition, 0xe0))), shr(32, calldataload(add(transition, 0x100))))
        }
        if (malformed != 0) revert MalformedBatch();
    }

    /// @dev A list of hashes in memory; `listHash` gives its memory back, so lists must not outlive each other.
    function newList(uint256 count) private pure returns (uint256 list) {
        assembly ("memory-safe") {
            list := mload(0x40)
            mstore(0x40, add(list, shl(5, count)))
        }
    }

    function set(uint256 list, uint256 index, bytes32 hash) private pure {
        assembly ("memory-safe") {
            mstore(add(list, shl(5, index)), hash)
        }
    }

    function listHash(uint256 list, uint256 count) private pure returns (bytes32 hash) {
        assembly ("memory-safe") {
            hash := keccak256(list, shl(5, count))
            mstore(0x40, list)
        }
    }

    /// @notice EIP-712 structure hash of a batch. The domain makes a digest of it.
    function batchHash(Batch calldata batch) internal pure returns (bytes32) {
        return keccak256(
            abi.encode(
                BATCH_TYPEHASH,
                batch.genesis,
                batch.sealNumber,
                batch.sealHash,
                batch.lastRound,
                batch.lastRoundHash,
                batch.nonce,
                batch.parent,
                batch.anchorNumber,
                batch.anchorHash,
                batch.setId,
                contentHash(batch),
                batch.expiry
            )
        );
    }
}
