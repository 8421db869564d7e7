// SPDX-License-Identifier: GPL-3.0-or-later
pragma solidity ^0.8.30;

import { IRouter } from "../src/IRouter.sol";
import { ReceiptVerifier } from "../src/ReceiptVerifier.sol";
import { Router } from "../src/Router.sol";
import { Certificates } from "../src/libraries/Certificates.sol";
import { ValidatorSet } from "../src/libraries/ValidatorSet.sol";
import { Vm } from "./utils/Vm.sol";

/// @notice What Rust, Solidity and TypeScript must all say to the certificates in
/// `primitives/vectors/certificates.json`. The Rust side is `primitives/tests/certificates.rs`, which also writes the file.
contract CertificateVectorsTest {
    Vm private constant vm = Vm(address(uint160(uint256(keccak256("hevm cheat code")))));

    string private constant STATEMENT =
        "RoundStatement(bytes32 genesis,uint64 setId,uint64 blockNumber,bytes32 blockHash,uint64 anchorNumber,bytes32 anchorHash,bytes32 outcome)";
    string private constant PROOF =
        "ReceiptProof(Receipt receipt,uint64 index,uint64 count,bytes32[] siblings,bytes32 receiptsRoot,bytes32 stateRoot,bytes32 transitionsHash)Receipt(bytes32 messageId,bytes32 programId,bytes4 code,bytes32 payloadHash,uint128 value,uint64 gasBurned,uint64 round)";

    struct Case {
        string name;
        string verdict;
        Certificates.RoundStatement statement;
        bytes signers;
        bytes signatures;
        Certificates.ReceiptProof proof;
    }

    error Differs(string network, string vector, string expected, bytes actual);

    Router private implementation;
    /// Of verdicts that are no errors, and of others.
    uint256 private believed;
    uint256 private refused;

    function setUp() public {
        implementation = new Router();
        vm.warp(1_800_000_000);
    }

    function test_solidityJudgesAsRustDoes() public {
        string memory json = vm.readFile("../primitives/vectors/certificates.json");
        for (uint256 i = 0; vm.keyExistsJson(json, _key("", "networks", i)); ++i) {
            string memory key = _key("", "networks", i);
            ReceiptVerifier verifier = _start(json, key);
            string memory network = vm.parseJsonString(json, string.concat(key, ".name"));
            for (uint256 j = 0; vm.keyExistsJson(json, _key(key, "cases", j)); ++j) {
                _judge(network, verifier, _read(json, _key(key, "cases", j)));
            }
        }
        // So that an empty file is no success.
        if (believed < 14 || refused < 50) revert Differs("all", "number", "", "");
    }

    /// @dev The real Router with the network's validators, at the address and on the chain that the vectors name.
    function _start(string memory json, string memory key) private returns (ReceiptVerifier) {
        address router = vm.parseJsonAddress(json, string.concat(key, ".router"));
        vm.chainId(vm.parseJsonUint(json, string.concat(key, ".chainId")));
        vm.etch(router, address(implementation).code);
        Router.InitParams memory params;
        params.owner = address(this);
        params.genesis = vm.parseJsonBytes32(json, string.concat(key, ".genesis"));
        params.validators = vm.parseJsonAddressArray(json, string.concat(key, ".members"));
        uint256[] memory weights = vm.parseJsonUintArray(json, string.concat(key, ".weights"));
        params.weights = new uint64[](weights.length);
        for (uint256 i = 0; i < weights.length; ++i) {
            params.weights[i] = uint64(weights[i]);
        }
        params.upgradeDelay = 2 days;
        params.maxStaleness = 30 days;
        Router(payable(router)).initialize(params);
        return new ReceiptVerifier(IRouter(router));
    }

    function _read(string memory json, string memory key) private pure returns (Case memory one) {
        one.name = vm.parseJsonString(json, string.concat(key, ".name"));
        one.verdict = vm.parseJsonString(json, string.concat(key, ".verdict"));
        one.statement = abi.decode(
            vm.parseJsonType(json, string.concat(key, ".statement"), STATEMENT), (Certificates.RoundStatement)
        );
        one.signers = vm.parseJsonBytes(json, string.concat(key, ".signers"));
        bytes[] memory signatures = vm.parseJsonBytesArray(json, string.concat(key, ".signatures"));
        for (uint256 i = 0; i < signatures.length; ++i) {
            one.signatures = bytes.concat(one.signatures, signatures[i]);
        }
        one.proof = abi.decode(vm.parseJsonType(json, string.concat(key, ".proof"), PROOF), (Certificates.ReceiptProof));
    }

    function _judge(string memory network, ReceiptVerifier verifier, Case memory one) private {
        bytes32 expected = keccak256(bytes(one.verdict));
        try verifier.verifyOffBranch(one.statement, one.signers, one.signatures, one.proof) {
            if (expected != keccak256("Valid")) revert Differs(network, one.name, one.verdict, "");
            ++believed;
        } catch (bytes memory reason) {
            if (expected != keccak256(bytes(_verdict(bytes4(reason))))) {
                revert Differs(network, one.name, one.verdict, reason);
            }
            ++refused;
        }
    }

    function _verdict(bytes4 reason) private pure returns (string memory) {
        if (reason == IRouter.InvalidGenesis.selector) return "Genesis";
        if (reason == IRouter.InvalidSet.selector) return "Set";
        if (reason == Certificates.TrailingZeroByte.selector) return "Signers";
        if (reason == ValidatorSet.SignerOutOfRange.selector) return "Signers";
        if (reason == ValidatorSet.InvalidSignaturesLength.selector) return "Signatures";
        if (reason == ValidatorSet.InvalidSignature.selector) return "NotTheMember";
        if (reason == ValidatorSet.NotEnoughHeads.selector) return "Heads";
        if (reason == ValidatorSet.NotEnoughWeight.selector) return "Weight";
        if (reason == Certificates.NotInRound.selector) return "NotInRound";
        if (reason == Certificates.WrongRound.selector) return "WrongRound";
        return "another";
    }

    function _key(string memory parent, string memory list, uint256 index) private pure returns (string memory) {
        return string.concat(parent, ".", list, "[", vm.toString(index), "]");
    }
}
