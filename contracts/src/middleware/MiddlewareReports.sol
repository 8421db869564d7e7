// SPDX-License-Identifier: GPL-3.0-or-later
pragma solidity ^0.8.30;

import { ECDSA } from "@openzeppelin/contracts/utils/cryptography/ECDSA.sol";
import { MessageHashUtils } from "@openzeppelin/contracts/utils/cryptography/MessageHashUtils.sol";
import { IMiddleware } from "../IMiddleware.sol";
import { IRouter } from "../IRouter.sol";
import { Gear } from "../libraries/Gear.sol";
import { SignerList } from "../libraries/SignerList.sol";
import { MiddlewareSlashing } from "./MiddlewareSlashing.sol";

/// @title Double signatures, reported by anyone
/// @notice Two batches of one seal under one signature are a fault that needs no judgement. The slash waits for a veto
/// like any other.
abstract contract MiddlewareReports is MiddlewareSlashing {
    /// @inheritdoc IMiddleware
    function setOperators(uint64 setId, uint48 capture, address[] calldata signers, address[] calldata operators)
        external
        onlyRouter
    {
        Layout storage state = _layout();
        if (state.setPointers[setId] != address(0)) revert SetKnown(setId);
        if (capture >= block.timestamp) revert FutureTimestamp(capture);
        if (signers.length != operators.length || signers.length > SignerList.MOST) revert InvalidLists();
        state.setPointers[setId] = SignerList.store(signers, operators);
        state.setCaptures[setId] = capture;
        emit OperatorsOfSet(setId, capture);
    }

    /// @notice Reports that a signer signed two batches for one seal; anyone. The signer's operator in the set that the
    /// first header names is slashed. Its id is in the event, for a veto.
    /// @param signatureA EIP-2098, of the header's digest in the Router's domain; so is `signatureB`.
    function reportDoubleSign(
        BatchHeader calldata headerA,
        bytes calldata signatureA,
        BatchHeader calldata headerB,
        bytes calldata signatureB
    ) external nonReentrant returns (uint64 id) {
        Layout storage state = _layout();
        bytes32 sealHash = headerA.sealHash;
        if (sealHash != headerB.sealHash) revert DifferentSeals();
        address signer = _doubleSigner(headerA, signatureA, headerB, signatureB);
        if (state.reported[signer][sealHash]) revert AlreadyReported(signer, sealHash);
        address operator = operatorOfSigner(headerA.setId, signer);
        if (operator == address(0)) revert UnknownSigner(headerA.setId, signer);
        state.reported[signer][sealHash] = true;
        id = REPORTS_FROM + state.reportsCount++;
        emit DoubleSignReported(id, operator, signer, sealHash);
        _slash(id, operator, state.doubleSignFraction, state.setCaptures[headerA.setId], true);
    }

    /// @notice The operator behind a signer of a set; zero if there is none.
    function operatorOfSigner(uint64 setId, address signer) public view returns (address) {
        address pointer = _layout().setPointers[setId];
        return pointer == address(0) ? address(0) : SignerList.find(pointer, signer);
    }

    /// @notice Of which time the stake behind a set is.
    function captureOfSet(uint64 setId) external view returns (uint48) {
        return _layout().setCaptures[setId];
    }

    function _doubleSigner(
        BatchHeader calldata headerA,
        bytes calldata signatureA,
        BatchHeader calldata headerB,
        bytes calldata signatureB
    ) private view returns (address signer) {
        bytes32 domain = IRouter(_layout().router).DOMAIN_SEPARATOR();
        bytes32 digestA = _digest(domain, headerA);
        bytes32 digestB = _digest(domain, headerB);
        if (digestA == digestB) revert SameDigest();
        signer = _signer(digestA, signatureA);
        address other = _signer(digestB, signatureB);
        if (signer != other || signer == address(0)) revert DifferentSigners(signer, other);
    }

    function _digest(bytes32 domain, BatchHeader calldata header) private pure returns (bytes32) {
        return MessageHashUtils.toTypedDataHash(domain, keccak256(abi.encode(Gear.BATCH_TYPEHASH, header)));
    }

    /// @dev The zero address for what is no signature with a low `s`.
    function _signer(bytes32 digest, bytes calldata signature) private pure returns (address signer) {
        if (signature.length != 64) return address(0);
        (signer,,) = ECDSA.tryRecover(digest, bytes32(signature[:32]), bytes32(signature[32:]));
    }
}
