// SPDX-License-Identifier: GPL-3.0-or-later
pragma solidity ^0.8.30;

import { IMirror } from "../src/IMirror.sol";
import { IRouter } from "../src/IRouter.sol";
import { Mirror } from "../src/Mirror.sol";
import { Router } from "../src/Router.sol";
import { Ancestry } from "../src/libraries/Ancestry.sol";
import { Gear } from "../src/libraries/Gear.sol";
import { ValidatorSet } from "../src/libraries/ValidatorSet.sol";
import { RouterItems } from "../src/router/RouterItems.sol";
import { RouterFixture } from "./utils/RouterFixture.sol";
import { Vm } from "./utils/Vm.sol";

/// @notice What makes a batch acceptable, and each way in which it is not.
contract SettlementTest is RouterFixture {
    /// The code that EIP-2935 deploys.
    bytes internal constant HISTORY_CODE =
        hex"3373fffffffffffffffffffffffffffffffffffffffe14604657602036036042575f35600143038111604257611fff81430311604257611fff9006545f5260205ff35b5f5ffd5b5f35611fff60014303065500";

    function test_chainOfBatches() public {
        commit(emptyBatch());
        bytes32 first = router.latestCommittedBatchHash();
        Gear.Batch memory second = emptyBatch();
        ensure(second.parent == first, "parent");
        vm.recordLogs();
        commit(second);
        Vm.Log[] memory logs = vm.getRecordedLogs();
        ensure(count(logs, IRouter.BatchApplied.selector) == 1, "applied");
        ensure(count(logs, IRouter.BatchCommitted.selector) == 1, "committed");
        ensure(router.lastBatch().nonce == 2, "nonce");
    }

    function test_wrongGenesis() public {
        Gear.Batch memory batch = emptyBatch();
        batch.genesis = keccak256("other");
        commitReverts(batch, abi.encodeWithSelector(IRouter.InvalidGenesis.selector));
    }

    function test_wrongNonce() public {
        Gear.Batch memory batch = emptyBatch();
        batch.nonce = 2;
        commitReverts(batch, abi.encodeWithSelector(IRouter.InvalidNonce.selector, 1, 2));
    }

    function test_wrongParent() public {
        Gear.Batch memory batch = emptyBatch();
        batch.parent = keccak256("other");
        commitReverts(batch, abi.encodeWithSelector(IRouter.InvalidParent.selector, bytes32(0), batch.parent));
    }

    function test_wrongSet() public {
        Gear.Batch memory batch = emptyBatch();
        batch.setId = 2;
        commitReverts(batch, abi.encodeWithSelector(IRouter.InvalidSet.selector, 1, 2));
    }

    function test_expired() public {
        Gear.Batch memory batch = emptyBatch();
        batch.expiry = uint64(block.timestamp - 1);
        commitReverts(batch, abi.encodeWithSelector(IRouter.BatchExpired.selector, batch.expiry));
        batch.expiry = uint64(block.timestamp);
        commit(batch);
    }

    function test_anchorOffBranch() public {
        Gear.Batch memory batch = emptyBatch();
        batch.anchorHash = keccak256("other");
        commitReverts(
            batch, abi.encodeWithSelector(Ancestry.AnchorNotAncestor.selector, batch.anchorNumber, batch.anchorHash)
        );
        batch.anchorNumber = uint64(block.number);
        commitReverts(
            batch, abi.encodeWithSelector(Ancestry.AnchorNotAncestor.selector, batch.anchorNumber, batch.anchorHash)
        );
    }

    function test_anchorByHistoryContract() public {
        vm.roll(20_000);
        uint64 number = 15_000;
        vm.etch(Ancestry.HISTORY, HISTORY_CODE);
        vm.store(Ancestry.HISTORY, bytes32(uint256(number) % 8191), keccak256("old block"));
        Gear.Batch memory batch = emptyBatch();
        batch.anchorNumber = number;
        batch.anchorHash = keccak256("other");
        commitReverts(batch, abi.encodeWithSelector(Ancestry.AnchorNotAncestor.selector, number, batch.anchorHash));
        batch.anchorNumber = 20_000 - 8192;
        commitReverts(batch, abi.encodeWithSelector(Ancestry.AnchorTooOld.selector, batch.anchorNumber));
        batch.anchorNumber = number;
        batch.anchorHash = keccak256("old block");
        commit(batch);
    }

    /// At every depth the history contract decides, whatever `blockhash` says.
    function test_anchorAtEveryBoundary() public {
        vm.roll(20_000);
        vm.etch(Ancestry.HISTORY, HISTORY_CODE);
        uint64[5] memory depths = [uint64(8191), 257, 256, 255, 1];
        for (uint256 i = 0; i < depths.length; ++i) {
            uint64 number = 20_000 - depths[i];
            Gear.Batch memory batch = emptyBatch();
            batch.anchorNumber = number;
            vm.store(Ancestry.HISTORY, bytes32(uint256(number) % 8191), keccak256(abi.encode(number)));
            // Forge lets none but these be set.
            if (depths[i] <= 256) vm.setBlockhash(number, keccak256("wrong after a restart"));
            batch.anchorHash = keccak256("wrong after a restart");
            commitReverts(batch, abi.encodeWithSelector(Ancestry.AnchorNotAncestor.selector, number, batch.anchorHash));
            batch.anchorHash = keccak256(abi.encode(number));
            commit(batch);
        }
    }

    /// The history contract was activated lately, so its record is empty: `blockhash` decides as far as it reaches.
    function test_anchorFromBeforeTheHistoryContract() public {
        vm.roll(20_000);
        vm.etch(Ancestry.HISTORY, HISTORY_CODE);
        _anchorsByBlockhash();
    }

    function test_anchorWhereThereIsNoHistoryContract() public {
        vm.roll(20_000);
        _anchorsByBlockhash();
    }

    /// Whatever is not one word is no answer: a revert, nothing, too little, and too much.
    function test_anchorWhereTheHistoryContractDoesNotAnswer() public {
        bytes[4] memory codes = [bytes(hex"5f5ffd"), hex"00", hex"601f5ff3", hex"60405ff3"];
        for (uint256 i = 0; i < codes.length; ++i) {
            vm.roll(20_000 * (i + 1));
            vm.etch(Ancestry.HISTORY, codes[i]);
            _anchorsByBlockhash();
        }
    }

    function test_anchorThatNobodyKnows() public {
        Gear.Batch memory batch = emptyBatch();
        batch.anchorHash = 0;
        vm.setBlockhash(batch.anchorNumber, 0);
        bytes memory refusal = abi.encodeWithSelector(Ancestry.AnchorNotAncestor.selector, batch.anchorNumber, 0);
        commitReverts(batch, refusal);
        vm.etch(Ancestry.HISTORY, HISTORY_CODE);
        commitReverts(batch, refusal);
    }

    function test_anchorAndRoundsDoNotGoBack() public {
        commit(emptyBatch());
        Gear.Batch memory batch = emptyBatch();
        batch.anchorNumber -= 1;
        commitReverts(
            batch, abi.encodeWithSelector(IRouter.AnchorBackwards.selector, block.number - 1, block.number - 2)
        );
        batch = emptyBatch();
        batch.lastRound = 0;
        commitReverts(batch, abi.encodeWithSelector(IRouter.RoundBackwards.selector, 1, 0));
    }

    function test_outboxCursor() public {
        Gear.Batch memory batch = emptyBatch();
        batch.outboxEnd = 1;
        commitReverts(batch, abi.encodeWithSelector(IRouter.InvalidOutboxCursor.selector, 0, 1));
    }

    function test_wrongSignature() public {
        Gear.Batch memory batch = emptyBatch();
        (, bytes memory two) = signBy(batch, 3);
        bytes32 digest = router.batchDigest(batch);
        // A stranger's, another validator's a second time, and what recovers to nobody at all.
        bytes[3] memory wrong = [compact(uint256(keccak256("nobody")), digest), compact(keys[1], digest), new bytes(64)];
        for (uint256 i = 0; i < wrong.length; ++i) {
            vm.expectRevert(abi.encodeWithSelector(ValidatorSet.InvalidSignature.selector, 2));
            router.commitBatch(batch, hex"07", bytes.concat(two, wrong[i]));
        }
        router.commitBatch(batch, hex"07", bytes.concat(two, compact(keys[2], digest)));
    }

    function test_foreignRouter() public {
        Gear.Batch memory batch = emptyBatch();
        (bytes memory bitmap, bytes memory signatures) = signBy(batch, type(uint256).max);
        Router other = router;
        deploy(4);
        ensure(router != other && router.validators()[0] == other.validators()[0], "same validators");
        vm.expectRevert(abi.encodeWithSelector(ValidatorSet.InvalidSignature.selector, 0));
        router.commitBatch(batch, bitmap, signatures);
        other.commitBatch(batch, bitmap, signatures);
    }

    /// Another Ethereum chain has other blocks; on a copy of this one with another id the signatures tell.
    function test_foreignChain() public {
        Gear.Batch memory batch = emptyBatch();
        (bytes memory bitmap, bytes memory signatures) = signBy(batch, type(uint256).max);
        vm.chainId(5);
        vm.expectRevert(abi.encodeWithSelector(ValidatorSet.InvalidSignature.selector, 0));
        router.commitBatch(batch, bitmap, signatures);
    }

    function test_tamperedContent() public {
        Gear.Batch memory batch = emptyBatch();
        (bytes memory bitmap, bytes memory signatures) = signBy(batch, type(uint256).max);
        withItem(batch, Gear.PARAMETER_CHANGE, abi.encode(keccak256("callbackStipend"), 1));
        vm.expectRevert(abi.encodeWithSelector(ValidatorSet.InvalidSignature.selector, 0));
        router.commitBatch(batch, bitmap, signatures);
    }

    function test_heads() public {
        Gear.Batch memory batch = emptyBatch();
        (bytes memory bitmap, bytes memory signatures) = signBy(batch, 3);
        vm.expectRevert(abi.encodeWithSelector(ValidatorSet.NotEnoughHeads.selector, 2, 4));
        router.commitBatch(batch, bitmap, signatures);
        (bitmap, signatures) = signBy(batch, 7);
        router.commitBatch(batch, bitmap, signatures);
    }

    function test_weight() public {
        address[] memory list = router.validators();
        uint64[] memory weights = new uint64[](4);
        (weights[0], weights[1], weights[2], weights[3]) = (1, 1, 1, 10);
        Gear.Batch memory batch = emptyBatch();
        withItem(batch, Gear.SET_UPDATE, abi.encode(uint64(2), list, weights));
        commit(batch);
        ensure(router.setId() == 2, "set");
        batch = emptyBatch();
        (bytes memory bitmap, bytes memory signatures) = signBy(batch, 7);
        vm.expectRevert(abi.encodeWithSelector(ValidatorSet.NotEnoughWeight.selector, 3, 13));
        router.commitBatch(batch, bitmap, signatures);
        commit(batch);
    }

    function test_bitmapAndSignaturesMustAgree() public {
        Gear.Batch memory batch = emptyBatch();
        (bytes memory bitmap, bytes memory signatures) = signBy(batch, 7);
        vm.expectRevert(abi.encodeWithSelector(ValidatorSet.InvalidSignaturesLength.selector, 192, 256));
        router.commitBatch(batch, bitmap, bytes.concat(signatures, signatures[0] > 0 ? new bytes(64) : new bytes(64)));
        vm.expectRevert(abi.encodeWithSelector(ValidatorSet.InvalidSignaturesLength.selector, 256, 192));
        router.commitBatch(batch, hex"0f", signatures);
        vm.expectRevert(abi.encodeWithSelector(ValidatorSet.SignerOutOfRange.selector));
        router.commitBatch(batch, hex"17", signatures);
        vm.expectRevert(abi.encodeWithSelector(ValidatorSet.SignerOutOfRange.selector));
        router.commitBatch(batch, hex"0700", signatures);
        vm.expectRevert(abi.encodeWithSelector(ValidatorSet.InvalidSignature.selector, 1));
        router.commitBatch(batch, hex"0e", signatures);
    }

    function test_highSIsRefused() public {
        Gear.Batch memory batch = emptyBatch();
        (bytes memory bitmap, bytes memory signatures) = signBy(batch, 7);
        (uint8 v, bytes32 r, bytes32 s) = vm.sign(keys[0], router.batchDigest(batch));
        uint256 high = 0xfffffffffffffffffffffffffffffffebaaedce6af48a03bbfd25e8cd0364141 - uint256(s);
        // A high `s` has its top bit set or not; only without it can it stand in a compact signature.
        high &= type(uint256).max >> 1;
        bytes memory forged = abi.encodePacked(r, v == 27 ? bytes32(high | 1 << 255) : bytes32(high));
        for (uint256 i = 0; i < 64; ++i) {
            signatures[i] = forged[i];
        }
        vm.expectRevert(abi.encodeWithSelector(ValidatorSet.InvalidSignature.selector, 0));
        router.commitBatch(batch, bitmap, signatures);
    }

    function test_staleSetAndRecovery() public {
        address[] memory list = router.validators();
        uint64[] memory weights = new uint64[](4);
        (weights[0], weights[1], weights[2], weights[3]) = (1, 1, 1, 1);
        bytes memory update = abi.encode(uint64(9), list, weights);
        vm.expectPartialRevert(IRouter.NotScheduled.selector);
        router.recoverValidatorSet(update);
        uint256 since = 1_800_000_000;
        vm.warp(since + 30 days + 1);
        commitReverts(emptyBatch(), abi.encodeWithSelector(IRouter.ValidatorSetStale.selector, since));
        router.recoverValidatorSet(update);
        ensure(router.setId() == 9, "set");
        commit(emptyBatch());
    }

    function test_badOutboxItemsAreSkipped() public {
        Gear.Batch memory batch = emptyBatch();
        withItem(batch, Gear.CODE_RESULT, abi.encode(CODE, bytes32(0), true));
        withItem(batch, Gear.SET_UPDATE, abi.encode(uint64(1), router.validators(), new uint64[](4)));
        withItem(batch, Gear.SET_UPDATE, abi.encode(uint64(2), router.validators(), new uint64[](4)));
        withItem(batch, Gear.SET_UPDATE, hex"01");
        withItem(batch, Gear.PARAMETER_CHANGE, abi.encode(keccak256("nonsense"), 1));
        withItem(batch, Gear.PARAMETER_CHANGE, abi.encode(keccak256("callbackStipend"), type(uint256).max));
        withItem(batch, 77, "");
        withItem(batch, Gear.PARAMETER_CHANGE, abi.encode(keccak256("callbackStipend"), 123_456));
        vm.recordLogs();
        commit(batch);
        Vm.Log[] memory logs = vm.getRecordedLogs();
        ensure(count(logs, IRouter.OutboxItemSkipped.selector) == 7, "skipped");
        ensure(router.callbackStipend() == 123_456, "good item applied");
        ensure(router.setId() == 1 && router.lastBatch().outboxEnd == 8, "cursor");
    }

    function test_setsThatAreNoneAreSkipped() public {
        address[] memory list = router.validators();
        _skips(list, new uint64[](4), abi.encodeWithSelector(ValidatorSet.InvalidValidator.selector, 0));
        _skips(list, _ones(3), abi.encodeWithSelector(ValidatorSet.InvalidWeights.selector));
        _skips(new address[](0), _ones(0), abi.encodeWithSelector(ValidatorSet.EmptyValidatorsList.selector));
        _skips(new address[](257), _ones(257), abi.encodeWithSelector(ValidatorSet.TooManyValidators.selector, 257));
        address last = list[3];
        for (uint256 i = 0; i < 3; ++i) {
            list[3] = list[i];
            _skips(list, _ones(4), abi.encodeWithSelector(ValidatorSet.InvalidValidator.selector, 3));
        }
        list[3] = address(0);
        _skips(list, _ones(4), abi.encodeWithSelector(ValidatorSet.InvalidValidator.selector, 3));
        list[3] = last;
        Gear.Batch memory batch = emptyBatch();
        withItem(batch, Gear.SET_UPDATE, abi.encode(uint64(2), list, _ones(4)));
        commit(batch);
        ensure(router.setId() == 2, "a set is a set");
    }

    function test_submitterCannotStarveAnItem() public {
        Gear.Batch memory batch = emptyBatch();
        withItem(batch, Gear.SET_UPDATE, abi.encode(uint64(2), router.validators(), _ones(4)));
        (bytes memory bitmap, bytes memory signatures) = signBy(batch, type(uint256).max);
        for (uint256 gas = 150_000; gas < 900_000; gas += 10_000) {
            (bool success,) =
                address(router).call{ gas: gas }(abi.encodeCall(router.commitBatch, (batch, bitmap, signatures)));
            if (success) {
                ensure(router.setId() == 2, "applied, not skipped");
                return;
            }
        }
        ensure(false, "never applied");
    }

    function test_itemsOnlyByTheRouter() public {
        RouterItems items = router.ITEMS();
        vm.expectRevert(abi.encodeWithSelector(RouterItems.OnlyByDelegatecall.selector));
        items.applyItem(Gear.CODE_RESULT, "");
    }

    function test_pauseCoversCommits() public {
        router.pause();
        Gear.Batch memory batch = emptyBatch();
        commitReverts(batch, abi.encodeWithSelector(bytes4(keccak256("EnforcedPause()"))));
        router.unpause();
        commit(batch);
    }

    function test_unknownAndUnsortedPrograms() public {
        validateCode();
        Gear.Batch memory batch = emptyBatch();
        withTransition(batch, address(0x1234));
        commitReverts(batch, abi.encodeWithSelector(IRouter.UnknownProgram.selector));
        Mirror mirror = createProgram(0);
        batch = emptyBatch();
        withTransition(batch, address(mirror));
        withTransition(batch, address(mirror));
        commitReverts(batch, abi.encodeWithSelector(IRouter.TransitionsNotSorted.selector, 1));
    }

    function test_valueFromNowhere() public {
        validateCode();
        Mirror mirror = createProgram(0);
        Gear.Batch memory batch = emptyBatch();
        withTransition(batch, address(mirror)).valueToReceive = 1;
        commitReverts(batch, abi.encodeWithSelector(IRouter.ValueNotConserved.selector));
        batch = emptyBatch();
        withTransition(batch, address(mirror)).netTransfer = 1;
        commitReverts(batch, abi.encodeWithSelector(IRouter.ValueNotConserved.selector));
        batch = emptyBatch();
        Gear.StateTransition memory transition = withTransition(batch, address(mirror));
        withMessage(transition, reply(user, bytes32(uint256(1)), "", 1, 0, false));
        commitReverts(batch, abi.encodeWithSelector(IMirror.InsufficientOwnedValue.selector, 0, 1));
    }

    /// What a Mirror owes to others is not its program's, whoever signed; nothing of such a batch is applied.
    function test_overspendingRevertsTheBatch() public {
        validateCode();
        (Mirror one, Mirror other) = (createProgram(0), createProgram(bytes32(uint256(1))));
        vm.prank(user);
        bytes32 id = one.sendMessage{ value: 10 }("init", false);
        Gear.Batch memory batch = emptyBatch();
        Gear.StateTransition memory transition = withTransition(batch, address(one));
        transition.valueToReceive = 10;
        // This contract takes no ETH, so six stay owed to it.
        withMessage(transition, reply(address(this), id, "", 6, 0, false));
        commit(batch);
        ensure(one.totalPending() == 6, "owed");
        batch = emptyBatch();
        withMessage(withTransition(batch, address(one)), reply(user, id, "", 5, 0, false));
        withTransition(batch, address(other));
        commitReverts(batch, abi.encodeWithSelector(IMirror.InsufficientOwnedValue.selector, 5, 6));
        ensure(other.stateHash() == 0 && address(one).balance == 10, "nothing applied");
        batch.transitions[batch.transitions[0].actorId == address(one) ? 0 : 1].messages[0].value = 4;
        commit(batch);
        ensure(address(one).balance == 6, "what it owns it may spend");
    }

    /// Depths 1, 255 and 256 are decided by `blockhash`; nobody knows what is behind.
    function _anchorsByBlockhash() private {
        uint64[2] memory unknown = [uint64(257), 8191];
        for (uint256 i = 0; i < unknown.length; ++i) {
            Gear.Batch memory old = emptyBatch();
            old.anchorNumber = uint64(block.number) - unknown[i];
            old.anchorHash = keccak256("old block");
            commitReverts(old, abi.encodeWithSelector(Ancestry.AnchorTooOld.selector, old.anchorNumber));
        }
        uint64[3] memory depths = [uint64(256), 255, 1];
        for (uint256 i = 0; i < depths.length; ++i) {
            Gear.Batch memory batch = emptyBatch();
            batch.anchorNumber = uint64(block.number) - depths[i];
            batch.anchorHash = keccak256(abi.encode(batch.anchorNumber));
            commitReverts(
                batch, abi.encodeWithSelector(Ancestry.AnchorNotAncestor.selector, batch.anchorNumber, batch.anchorHash)
            );
            vm.setBlockhash(batch.anchorNumber, batch.anchorHash);
            commit(batch);
        }
    }

    function _skips(address[] memory list, uint64[] memory weights, bytes memory reason) private {
        Gear.Batch memory batch = emptyBatch();
        withItem(batch, Gear.SET_UPDATE, abi.encode(uint64(2), list, weights));
        vm.recordLogs();
        commit(batch);
        Vm.Log memory log = vm.getRecordedLogs()[0];
        ensure(log.topics[0] == IRouter.OutboxItemSkipped.selector, "skipped");
        (,, bytes memory actual) = abi.decode(log.data, (uint64, uint8, bytes));
        ensure(keccak256(actual) == keccak256(reason), "reason");
        ensure(router.setId() == 1, "set");
    }

    function _ones(uint256 length) private pure returns (uint64[] memory list) {
        list = new uint64[](length);
        for (uint256 i = 0; i < length; ++i) {
            list[i] = 1;
        }
    }
}
