// SPDX-License-Identifier: GPL-3.0-or-later
pragma solidity ^0.8.30;

import { IMirror } from "../src/IMirror.sol";
import { Mirror } from "../src/Mirror.sol";
import { Router } from "../src/Router.sol";
import { Gear } from "../src/libraries/Gear.sol";
import { ValidatorSet } from "../src/libraries/ValidatorSet.sol";
import { RouterDeposits } from "../src/router/RouterDeposits.sol";
import { RouterItems } from "../src/router/RouterItems.sol";
import { RouterFixture } from "./utils/RouterFixture.sol";

/// @notice Measures the quorum check alone.
contract QuorumMeter {
    function measure(address pointer, bytes32 digest, bytes calldata signers, bytes calldata signatures)
        external
        view
        returns (uint256)
    {
        uint256 before = gasleft();
        ValidatorSet.requireQuorum(pointer, digest, signers, signatures);
        return before - gasleft();
    }

    function store(address[] calldata validators, uint64[] calldata weights) external returns (address) {
        return ValidatorSet.store(validators, weights);
    }
}

/// @notice The numbers of the design, section 9. Gas is deterministic, so tests may assert it.
contract GasTest is RouterFixture {
    event Measured(string what, uint256 gas);

    function test_quorumOf10() public {
        ensure(_quorum(10) <= 70_000, "10 validators");
    }

    function test_quorumOf50() public {
        ensure(_quorum(50) <= 190_000, "50 validators");
    }

    function test_quorumOf100() public {
        ensure(_quorum(100) <= 340_000, "100 validators");
    }

    /// The largest set there may be, stored in one transaction: EIP-7825 allows 2^24 gas.
    function test_largestSetUpdate() public {
        uint256 most = 256;
        Gear.Batch memory batch = emptyBatch();
        address[] memory list = new address[](most);
        uint64[] memory weights = new uint64[](most);
        for (uint256 i = 0; i < most; ++i) {
            list[i] = address(uint160(uint256(keccak256(abi.encode("validator", i)))));
            weights[i] = uint64(i + 1);
        }
        withItem(batch, Gear.SET_UPDATE, abi.encode(uint64(2), list, weights));
        (bytes memory bitmap, bytes memory signatures) = signBy(batch, type(uint256).max);
        bytes memory data = abi.encodeCall(router.commitBatch, (batch, bitmap, signatures));
        uint256 before = gasleft();
        (bool success,) = address(router).call(data);
        uint256 gas = _transactionGas(before - gasleft(), data);
        emit Measured("batch with a set of 256", gas);
        ensure(success && router.validatorsCount() == most, "stored");
        ensure(gas < 5_000_000, "set of 256");
    }

    function test_replyInABatchOf100() public {
        uint256 one = _commitReplies(1);
        uint256 all = _commitReplies(101);
        uint256 each = (all - one) / 100;
        emit Measured("commit side of one reply in a batch of 100", each);
        ensure(each <= 8_000, "reply");
    }

    /// Transfers inside a program settle as one change of its state, however many there are.
    function test_nativeTransferInABatchOf1000() public {
        uint256 gas = _commitReplies(0);
        emit Measured("native token transfer in a batch of 1000", gas / 1000);
        ensure(gas / 1000 <= 500, "transfer");
    }

    /// EIP-170 and EIP-3860. Forge itself lets larger ones pass.
    function test_codesCanBeDeployed() public {
        ensure(address(new Router()).code.length <= 24_576, "Router");
        ensure(type(Router).creationCode.length <= 49_152, "the Router's creation, with its parts");
        ensure(type(RouterItems).creationCode.length <= 24_576, "RouterItems");
        ensure(type(RouterDeposits).creationCode.length <= 24_576, "RouterDeposits");
        ensure(type(Mirror).creationCode.length <= 24_576, "Mirror");
    }

    function _quorum(uint256 validators) private returns (uint256 gas) {
        QuorumMeter meter = new QuorumMeter();
        address[] memory list = new address[](validators);
        uint64[] memory weights = new uint64[](validators);
        bytes32 digest = keccak256("digest");
        bytes memory bitmap = new bytes((validators + 7) / 8);
        bytes memory signatures;
        uint256 needed = validators * 2 / 3 + 1;
        for (uint256 i = 0; i < validators; ++i) {
            list[i] = vm.addr(i + 1);
            weights[i] = 1;
            if (i >= needed) continue;
            bitmap[i / 8] |= bytes1(uint8(1 << (i % 8)));
            signatures = bytes.concat(signatures, compact(i + 1, digest));
        }
        gas = meter.measure(meter.store(list, weights), digest, bitmap, signatures);
        emit Measured("quorum check", gas);
    }

    function _commitReplies(uint256 replies) private returns (uint256 gas) {
        deploy(4);
        validateCode();
        Mirror mirror = createProgram(0);
        bytes32 id = initMessage(mirror);
        Gear.Batch memory batch = emptyBatch();
        Gear.StateTransition memory transition = withTransition(batch, address(mirror));
        // Without zero bytes, as addresses are.
        address recipient = address(uint160(uint256(keccak256("recipient"))));
        transition.messages = new Gear.Message[](replies);
        for (uint256 i = 0; i < replies; ++i) {
            transition.messages[i] = reply(recipient, id, abi.encode(i), 0, 0x00010000, false);
        }
        (bytes memory bitmap, bytes memory signatures) = signBy(batch, type(uint256).max);
        bytes memory data = abi.encodeCall(router.commitBatch, (batch, bitmap, signatures));
        uint256 before = gasleft();
        (bool success,) = address(router).call(data);
        gas = _transactionGas(before - gasleft(), data);
        ensure(success, "commit");
    }

    /// Calldata pays 4 gas a token beside the execution, and the whole at least 10 a token (EIP-7623). What every
    /// transaction costs is left out.
    function _transactionGas(uint256 execution, bytes memory data) private pure returns (uint256) {
        uint256 tokens = 0;
        for (uint256 i = 0; i < data.length; ++i) {
            tokens += data[i] == 0 ? 1 : 4;
        }
        uint256 gas = execution + 4 * tokens;
        return gas < 10 * tokens ? 10 * tokens : gas;
    }
}
