// SPDX-License-Identifier: GPL-3.0-or-later
pragma solidity ^0.8.30;

/// @title What Router, Mirrors and validators agree on: structures and their hashes
/// @notice Every hash is Keccak-256 over packed fields. The Rust side is `primitives/src/{transition,outbox,batch}.rs`;
/// `test/vectors.json` holds one worked example that both sides check.
library Gear {
    /// @notice `keccak256` of nothing: the hash of an empty list.
    bytes32 internal constant EMPTY = 0xc5d2460186f7233c927e7db2dcc703c0e500b653ca82273b7bfad8045d85a470;

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
        uint64 outboxEnd;
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

    /// @notice Hash of one message.
    function messageHash(Message calldata message) internal pure returns (bytes32) {
        return keccak256(
            abi.encodePacked(
                message.id,
                message.destination,
                message.payload,
                message.value,
                message.replyDetails.to,
                message.replyDetails.code,
                message.call
            )
        );
    }

    /// @notice Hash of one claim.
    function claimHash(ValueClaim calldata claim) internal pure returns (bytes32) {
        return keccak256(abi.encodePacked(claim.messageId, claim.destination, claim.value));
    }

    /// @notice Hash of one transition.
    function transitionHash(StateTransition calldata transition) internal pure returns (bytes32) {
        bytes32[] memory claims = new bytes32[](transition.valueClaims.length);
        for (uint256 i = 0; i < claims.length; ++i) {
            claims[i] = claimHash(transition.valueClaims[i]);
        }
        bytes32[] memory messages = new bytes32[](transition.messages.length);
        for (uint256 i = 0; i < messages.length; ++i) {
            messages[i] = messageHash(transition.messages[i]);
        }
        return keccak256(
            abi.encodePacked(
                transition.actorId,
                transition.newStateHash,
                transition.exited,
                transition.inheritor,
                transition.valueToReceive,
                transition.valueToReceiveNegativeSign,
                transition.netTransfer,
                keccak256(abi.encodePacked(claims)),
                keccak256(abi.encodePacked(messages))
            )
        );
    }

    /// @notice Hash of transitions, outbox cursor and outbox items.
    function contentHash(Batch calldata batch) internal pure returns (bytes32) {
        bytes32[] memory transitions = new bytes32[](batch.transitions.length);
        for (uint256 i = 0; i < transitions.length; ++i) {
            transitions[i] = transitionHash(batch.transitions[i]);
        }
        bytes32[] memory items = new bytes32[](batch.outbox.length);
        for (uint256 i = 0; i < items.length; ++i) {
            OutboxItem calldata item = batch.outbox[i];
            items[i] = keccak256(abi.encodePacked(item.kind, keccak256(item.data)));
        }
        return keccak256(
            abi.encodePacked(
                keccak256(abi.encodePacked(transitions)), batch.outboxEnd, keccak256(abi.encodePacked(items))
            )
        );
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
