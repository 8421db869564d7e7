// SPDX-License-Identifier: GPL-3.0-or-later
pragma solidity ^0.8.30;

import { NoncesUpgradeable } from "@openzeppelin/contracts-upgradeable/utils/NoncesUpgradeable.sol";
import { IERC20 } from "@openzeppelin/contracts/token/ERC20/IERC20.sol";
import { IERC20Permit } from "@openzeppelin/contracts/token/ERC20/extensions/IERC20Permit.sol";
import { ECDSA } from "@openzeppelin/contracts/utils/cryptography/ECDSA.sol";
import { MessageHashUtils } from "@openzeppelin/contracts/utils/cryptography/MessageHashUtils.sol";
import { IRouter } from "../IRouter.sol";
import { Gear } from "../libraries/Gear.sol";
import { RouterGovernance } from "./RouterGovernance.sol";

/// @title Requests for the validation of codes, whose bytes are in blobs of the requesting transaction
/// @notice A request is named by code *and* blobs. Who announces somebody else's code with other blobs therefore
/// neither blocks nor spoils the real request.
abstract contract RouterCodes is RouterGovernance, NoncesUpgradeable {
    string private constant DOMAIN_NAME = "Vara.ETH Router";
    string private constant DOMAIN_VERSION = "1";
    bytes32 private constant ON_BEHALF_TYPEHASH = keccak256(
        "RequestCodeValidationOnBehalf(address requester,bytes32 codeId,bytes32[] blobHashes,uint256 nonce,uint256 deadline)"
    );

    /// @notice Requests the validation of a code; the caller pays by a signed approval of wVARA.
    function requestCodeValidation(bytes32 codeId, uint256 deadline, uint8 v, bytes32 r, bytes32 s)
        external
        whenNotPaused
    {
        _request(codeId, _blobHashes());
        uint256 fee = _layout().baseFee;
        _tryPermit(msg.sender, fee, deadline, v, r, s);
        _takeFee(msg.sender, address(this), fee);
        _layout().totalCodeFees += fee;
    }

    /// @notice The same for `requester`, who signed for it; the caller earns the extra fee.
    function requestCodeValidationOnBehalf(
        address requester,
        bytes32 codeId,
        bytes32[] calldata blobHashes,
        uint256 deadline,
        uint8 v1,
        bytes32 r1,
        bytes32 s1,
        uint8 v2,
        bytes32 r2,
        bytes32 s2
    ) external whenNotPaused {
        if (block.timestamp > deadline) revert ExpiredSignature(deadline);
        _requireBlobs(blobHashes);
        _requireSigned(requester, _onBehalfHash(requester, codeId, blobHashes, deadline), v1, r1, s1);
        _request(codeId, blobHashes);
        _payOnBehalf(requester, deadline, v2, r2, s2);
    }

    /// @notice State of a code.
    function codeState(bytes32 codeId) external view returns (Gear.CodeState) {
        return _layout().codes[codeId].state;
    }

    /// @notice States of several codes.
    function codesStates(bytes32[] calldata codesIds) external view returns (Gear.CodeState[] memory states) {
        states = new Gear.CodeState[](codesIds.length);
        for (uint256 i = 0; i < codesIds.length; ++i) {
            states[i] = _layout().codes[codesIds[i]].state;
        }
    }

    /// @notice Codes that programs can be made of.
    function validatedCodesCount() external view returns (uint256) {
        return _layout().validatedCodesCount;
    }

    /// @notice Price of a request, in wVARA base units.
    function requestCodeValidationBaseFee() external view returns (uint256) {
        return _layout().baseFee;
    }

    /// @notice What a request on behalf of somebody costs besides, in wVARA base units.
    function requestCodeValidationExtraFee() external view returns (uint256) {
        return _layout().extraFee;
    }

    /// @inheritdoc IRouter
    // solhint-disable-next-line func-name-mixedcase
    function DOMAIN_SEPARATOR() public view returns (bytes32) {
        return keccak256(
            abi.encode(
                keccak256("EIP712Domain(string name,string version,uint256 chainId,address verifyingContract)"),
                keccak256(bytes(DOMAIN_NAME)),
                keccak256(bytes(DOMAIN_VERSION)),
                block.chainid,
                address(this)
            )
        );
    }

    /// @notice The same, field by field (ERC-5267).
    function eip712Domain()
        external
        view
        returns (
            bytes1 fields,
            string memory name,
            string memory version,
            uint256 chainId,
            address verifyingContract,
            bytes32 salt,
            uint256[] memory extensions
        )
    {
        return (0x0f, DOMAIN_NAME, DOMAIN_VERSION, block.chainid, address(this), bytes32(0), new uint256[](0));
    }

    /// @dev EIP-712 digest in this domain.
    function _digest(bytes32 structHash) internal view returns (bytes32) {
        return MessageHashUtils.toTypedDataHash(DOMAIN_SEPARATOR(), structHash);
    }

    /// @dev An approval that was used already, or given otherwise, is as good: only the transfer decides.
    function _tryPermit(address owner, uint256 value, uint256 deadline, uint8 v, bytes32 r, bytes32 s) internal {
        try IERC20Permit(_layout().wrappedVara).permit(owner, address(this), value, deadline, v, r, s) { } catch { }
    }

    function _takeFee(address from, address to, uint256 value) internal {
        if (value != 0 && !IERC20(_layout().wrappedVara).transferFrom(from, to, value)) revert TransferFromFailed();
    }

    function _payOnBehalf(address requester, uint256 deadline, uint8 v, bytes32 r, bytes32 s) private {
        uint256 fee = _layout().baseFee;
        uint256 extra = _layout().extraFee;
        _tryPermit(requester, fee + extra, deadline, v, r, s);
        _takeFee(requester, address(this), fee);
        _takeFee(requester, msg.sender, extra);
        _layout().totalCodeFees += fee;
    }

    function _requireBlobs(bytes32[] calldata expected) private view {
        bytes32[] memory hashes = _blobHashes();
        if (hashes.length != expected.length) revert InvalidBlobHashesLength(expected.length, hashes.length);
        for (uint256 i = 0; i < hashes.length; ++i) {
            if (hashes[i] != expected[i]) revert InvalidBlobHash(i, expected[i], hashes[i]);
        }
    }

    function _onBehalfHash(address requester, bytes32 codeId, bytes32[] calldata blobHashes, uint256 deadline)
        private
        returns (bytes32)
    {
        bytes32 blobs = keccak256(abi.encodePacked(blobHashes));
        return keccak256(abi.encode(ON_BEHALF_TYPEHASH, requester, codeId, blobs, _useNonce(requester), deadline));
    }

    function _requireSigned(address requester, bytes32 structHash, uint8 v, bytes32 r, bytes32 s) private view {
        address signer = ECDSA.recover(_digest(structHash), v, r, s);
        if (signer != requester) revert InvalidSigner(signer, requester);
    }

    function _request(bytes32 codeId, bytes32[] memory hashes) private {
        Layout storage state = _layout();
        Code storage code = state.codes[codeId];
        bytes32 requestId = keccak256(abi.encode(codeId, hashes));
        if (code.state == Gear.CodeState.Validated || state.requests[requestId] != bytes32(0)) {
            revert CodeAlreadyOnValidationOrValidated();
        }
        state.requests[requestId] = codeId;
        code.pending += 1;
        code.state = Gear.CodeState.ValidationRequested;
        emit CodeValidationRequested(codeId);
        emit CodeBlobsAnnounced(codeId, requestId, hashes);
    }

    function _blobHashes() private view returns (bytes32[] memory hashes) {
        uint256 count = 0;
        while (blobhash(count) != 0) ++count;
        if (count == 0) revert BlobNotFound();
        hashes = new bytes32[](count);
        for (uint256 i = 0; i < count; ++i) {
            hashes[i] = blobhash(i);
        }
    }
}
