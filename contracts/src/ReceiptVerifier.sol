// SPDX-License-Identifier: GPL-3.0-or-later
pragma solidity ^0.8.30;

import { IRouter } from "./IRouter.sol";
import { Ancestry } from "./libraries/Ancestry.sol";
import { Certificates } from "./libraries/Certificates.sol";

/// @title Believes a receipt because a quorum of validators has signed its round, long before a batch brings it to Ethereum
/// @notice It keeps nothing and belongs to nobody: one for each Router is enough. A dApp's contract calls it with what a
/// node's `gear_messageStatus` says, or builds `Certificates` in. `examples/CounterReader.sol` is one that does.
///
/// What was proven can be reversed until it is settled: if the block is not finalised by GRANDPA, which no contract sees; if
/// Ethereum leaves the anchor, even for a while; or if a batch that was signed before an earlier rewind is applied after all
/// (`docs/decisions/0017-what-reverses-a-certificate.md`). Where that must not be, wait for the batch.
contract ReceiptVerifier {
    /// @notice The Router, whose validators are believed.
    IRouter public immutable router;

    /// @param router_ The Router.
    constructor(IRouter router_) {
        router = router_;
    }

    /// @notice Reverts unless the message ended as its receipt says, in a round that the validators whom the Router holds
    /// now have signed, and whose anchor is an ancestor of this block: on another branch of Ethereum it proves nothing.
    /// An anchor is known for 8191 blocks (`Ancestry`).
    function verify(
        Certificates.RoundStatement calldata statement,
        bytes calldata signers,
        bytes calldata signatures,
        Certificates.ReceiptProof calldata proof
    ) external view {
        Ancestry.requireAncestor(statement.anchorNumber, statement.anchorHash);
        _verify(statement, signers, signatures, proof);
    }

    /// @notice As `verify`, without a look at the anchor: for what is older than 8191 blocks, and for calls that nobody
    /// mines, whose block does not know its parent. Whether Ethereum has left the anchor is then the caller's to know.
    function verifyOffBranch(
        Certificates.RoundStatement calldata statement,
        bytes calldata signers,
        bytes calldata signatures,
        Certificates.ReceiptProof calldata proof
    ) external view {
        _verify(statement, signers, signatures, proof);
    }

    function _verify(
        Certificates.RoundStatement calldata statement,
        bytes calldata signers,
        bytes calldata signatures,
        Certificates.ReceiptProof calldata proof
    ) private view {
        Certificates.requireCertified(router, statement, signers, signatures);
        Certificates.requireReceipt(statement, proof);
    }
}
