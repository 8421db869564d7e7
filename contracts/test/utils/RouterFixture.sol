// SPDX-License-Identifier: GPL-3.0-or-later
pragma solidity ^0.8.30;

import { ERC1967Proxy } from "@openzeppelin/contracts/proxy/ERC1967/ERC1967Proxy.sol";
import { Mirror } from "../../src/Mirror.sol";
import { Router } from "../../src/Router.sol";
import { WrappedVara } from "../../src/WrappedVara.sol";
import { Gear } from "../../src/libraries/Gear.sol";
import { Vm } from "./Vm.sol";

/// @title A deployed Router with four validators, and helpers that build and sign batches
/// @notice The test contract itself is the owner.
abstract contract RouterFixture {
    Vm internal constant vm = Vm(address(uint160(uint256(keccak256("hevm cheat code")))));
    bytes32 internal constant CODE = keccak256("code");
    bytes32 internal constant BLOB = bytes32(uint256(1) << 248 | 7);
    bytes32 internal constant GENESIS = keccak256("chain");

    Router internal router;
    WrappedVara internal vara;
    uint256[] internal keys;
    address internal user = address(0xBEEF);

    error AssertionFailed(string what);

    function setUp() public virtual {
        vm.warp(1_800_000_000);
        vm.roll(1000);
        deploy(4);
    }

    function deploy(uint256 validators) internal {
        delete keys;
        WrappedVara token = new WrappedVara();
        vara = WrappedVara(
            address(new ERC1967Proxy(address(token), abi.encodeCall(WrappedVara.initialize, (address(this)))))
        );
        address[] memory list = new address[](validators);
        uint64[] memory weights = new uint64[](validators);
        for (uint256 i = 0; i < validators; ++i) {
            keys.push(uint256(keccak256(abi.encode("validator", i))));
            list[i] = vm.addr(keys[i]);
            weights[i] = 10;
        }
        address implementation = address(new Router());
        // The proxy is initialised in its constructor, so it must know the Mirror that is deployed next.
        address mirror = vm.computeCreateAddress(address(this), vm.getNonce(address(this)) + 1);
        Router.InitParams memory params = Router.InitParams({
            owner: address(this),
            mirror: mirror,
            wrappedVara: address(vara),
            middleware: address(0),
            genesis: GENESIS,
            validators: list,
            weights: weights,
            upgradeDelay: 2 days,
            maxStaleness: 30 days,
            callbackStipend: 500_000,
            requestCodeValidationBaseFee: 1000e12,
            requestCodeValidationExtraFee: 500e12,
            computeThreshold: 0,
            wvaraPerSecond: 100e12
        });
        router = Router(payable(address(new ERC1967Proxy(implementation, abi.encodeCall(Router.initialize, (params))))));
        ensure(address(new Mirror(address(router))) == mirror, "order of deployment");
        vara.mint(user, 1_000_000e12);
        vm.deal(user, 1000 ether);
    }

    function ensure(bool condition, string memory what) internal pure {
        if (!condition) revert AssertionFailed(what);
    }

    // Batches

    function emptyBatch() internal view returns (Gear.Batch memory batch) {
        Gear.AppliedBatch memory last = router.lastBatch();
        batch.genesis = GENESIS;
        batch.sealNumber = last.sealNumber + 1;
        batch.sealHash = keccak256(abi.encode("seal", batch.sealNumber));
        batch.lastRound = last.lastRound + 1;
        batch.lastRoundHash = keccak256(abi.encode("round", batch.lastRound));
        batch.nonce = last.nonce + 1;
        batch.parent = last.digest;
        batch.anchorNumber = uint64(vm.getBlockNumber() - 1);
        batch.anchorHash = blockhash(batch.anchorNumber);
        batch.setId = router.setId();
        batch.expiry = uint64(vm.getBlockTimestamp() + 600);
        batch.outboxEnd = last.outboxEnd;
    }

    function withItem(Gear.Batch memory batch, uint8 kind, bytes memory data) internal pure {
        Gear.OutboxItem[] memory items = new Gear.OutboxItem[](batch.outbox.length + 1);
        for (uint256 i = 0; i < batch.outbox.length; ++i) {
            items[i] = batch.outbox[i];
        }
        items[batch.outbox.length] = Gear.OutboxItem(kind, data);
        batch.outbox = items;
        batch.outboxEnd += 1;
    }

    function withTransition(Gear.Batch memory batch, address program)
        internal
        pure
        returns (Gear.StateTransition memory transition)
    {
        transition.actorId = program;
        transition.newStateHash = keccak256(abi.encode("state", batch.nonce, program));
        Gear.StateTransition[] memory list = new Gear.StateTransition[](batch.transitions.length + 1);
        uint256 place = 0;
        for (uint256 i = 0; i < batch.transitions.length; ++i) {
            if (place == i && batch.transitions[i].actorId > program) list[place++] = transition;
            list[place++] = batch.transitions[i];
        }
        if (place < list.length) list[place] = transition;
        batch.transitions = list;
    }

    function reply(address to, bytes32 request, bytes memory payload, uint128 value, bytes4 code, bool call)
        internal
        pure
        returns (Gear.Message memory message)
    {
        message.id = keccak256(abi.encode("reply", request));
        message.destination = to;
        message.payload = payload;
        message.value = value;
        message.replyDetails = Gear.ReplyDetails(request, code);
        message.call = call;
    }

    function withMessage(Gear.StateTransition memory transition, Gear.Message memory message) internal pure {
        Gear.Message[] memory list = new Gear.Message[](transition.messages.length + 1);
        for (uint256 i = 0; i < transition.messages.length; ++i) {
            list[i] = transition.messages[i];
        }
        list[transition.messages.length] = message;
        transition.messages = list;
    }

    function signBy(Gear.Batch memory batch, uint256 signers)
        internal
        view
        returns (bytes memory bitmap, bytes memory signatures)
    {
        bytes32 digest = router.batchDigest(batch);
        bitmap = new bytes((keys.length + 7) / 8);
        for (uint256 i = 0; i < keys.length; ++i) {
            if ((signers >> i) & 1 == 0) continue;
            bitmap[i / 8] |= bytes1(uint8(1 << (i % 8)));
            signatures = bytes.concat(signatures, compact(keys[i], digest));
        }
    }

    function compact(uint256 key, bytes32 digest) internal pure returns (bytes memory) {
        (uint8 v, bytes32 r, bytes32 s) = vm.sign(key, digest);
        return abi.encodePacked(r, v == 28 ? bytes32(uint256(s) | 1 << 255) : s);
    }

    function commit(Gear.Batch memory batch) internal {
        (bytes memory bitmap, bytes memory signatures) = signBy(batch, type(uint256).max);
        router.commitBatch(batch, bitmap, signatures);
    }

    function commitReverts(Gear.Batch memory batch, bytes memory reason) internal {
        (bytes memory bitmap, bytes memory signatures) = signBy(batch, type(uint256).max);
        vm.expectRevert(reason);
        router.commitBatch(batch, bitmap, signatures);
    }

    // Codes and programs

    function requestCode(bytes32 code, bytes32 blob) internal returns (bytes32 requestId) {
        bytes32[] memory hashes = new bytes32[](1);
        hashes[0] = blob;
        vm.blobhashes(hashes);
        vm.prank(user);
        vara.approve(address(router), 1000e12);
        vm.prank(user);
        router.requestCodeValidation(code, 0, 0, 0, 0);
        return keccak256(abi.encode(code, hashes));
    }

    function validateCode() internal {
        bytes32 request = requestCode(CODE, BLOB);
        Gear.Batch memory batch = emptyBatch();
        withItem(batch, Gear.CODE_RESULT, abi.encode(CODE, request, true));
        commit(batch);
    }

    function createProgram(bytes32 salt) internal returns (Mirror) {
        vm.prank(user);
        return Mirror(payable(router.createProgram(CODE, salt, address(0))));
    }

    function createTyped(bytes32 salt) internal returns (Mirror) {
        vm.prank(user);
        return Mirror(payable(router.createProgramWithAbiInterface(CODE, salt, address(0), address(0xAB1))));
    }

    function initMessage(Mirror mirror) internal returns (bytes32) {
        vm.prank(user);
        return mirror.sendMessage("init", false);
    }

    /// @dev An approval (ERC-2612) by the holder of `key`, without a transaction of its own.
    function signPermit(uint256 key, address spender, uint256 value, uint256 deadline)
        internal
        view
        returns (uint8 v, bytes32 r, bytes32 s)
    {
        address holder = vm.addr(key);
        bytes32 structHash = keccak256(
            abi.encode(
                keccak256("Permit(address owner,address spender,uint256 value,uint256 nonce,uint256 deadline)"),
                holder,
                spender,
                value,
                vara.nonces(holder),
                deadline
            )
        );
        return vm.sign(key, keccak256(abi.encodePacked(hex"1901", vara.DOMAIN_SEPARATOR(), structHash)));
    }

    function count(Vm.Log[] memory logs, bytes32 topic) internal pure returns (uint256 found) {
        for (uint256 i = 0; i < logs.length; ++i) {
            if (logs[i].topics.length != 0 && logs[i].topics[0] == topic) ++found;
        }
    }
}
