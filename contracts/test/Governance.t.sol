// SPDX-License-Identifier: GPL-3.0-or-later
pragma solidity ^0.8.30;

import { ERC1967Proxy } from "@openzeppelin/contracts/proxy/ERC1967/ERC1967Proxy.sol";
import { IRouter } from "../src/IRouter.sol";
import { Mirror } from "../src/Mirror.sol";
import { Router } from "../src/Router.sol";
import { Gear } from "../src/libraries/Gear.sol";
import { ValidatorSet } from "../src/libraries/ValidatorSet.sol";
import { RouterFixture } from "./utils/RouterFixture.sol";
import { Vm } from "./utils/Vm.sol";

/// @notice The owner's powers and their delays, and requests for codes.
contract GovernanceTest is RouterFixture {
    function test_onlyOwner() public {
        bytes memory reason = abi.encodeWithSignature("OwnableUnauthorizedAccount(address)", user);
        vm.prank(user);
        vm.expectRevert(reason);
        router.pause();
        vm.prank(user);
        vm.expectRevert(reason);
        router.setMirror(user);
        vm.prank(user);
        vm.expectRevert(reason);
        router.upgradeToAndCall(user, "");
    }

    function test_ownerIsAContract() public {
        vm.expectRevert(abi.encodeWithSelector(IRouter.OwnerNotContract.selector, user));
        router.transferOwnership(user);
        vm.expectRevert(abi.encodeWithSelector(IRouter.OwnerNotContract.selector, address(0)));
        router.renounceOwnership();
    }

    function test_mirrorsChangeAfterTheDelay() public {
        address next = address(new Mirror(address(router)));
        bytes32 change = router.mirrorChange(next);
        router.setMirror(next);
        vm.warp(block.timestamp + 2 days - 1);
        vm.expectRevert(abi.encodeWithSelector(IRouter.NotScheduled.selector, change));
        router.applyMirror(next);
        vm.warp(block.timestamp + 1);
        router.applyMirror(next);
        ensure(router.mirrorImpl() == next, "changed");
        vm.expectRevert(abi.encodeWithSelector(IRouter.NotScheduled.selector, change));
        router.applyMirror(next);
    }

    function test_upgradeAfterTheDelay() public {
        address next = address(new Router());
        bytes32 change = router.upgradeChange(next);
        vm.expectRevert(abi.encodeWithSelector(IRouter.NotScheduled.selector, change));
        router.upgradeToAndCall(next, "");
        router.scheduleUpgrade(next);
        vm.warp(block.timestamp + 2 days);
        router.upgradeToAndCall(next, "");
        ensure(router.setId() == 1, "state kept");
    }

    function test_cancelledChange() public {
        address next = address(new Mirror(address(router)));
        router.setMirror(next);
        router.cancelChange(router.mirrorChange(next));
        vm.warp(block.timestamp + 2 days);
        vm.expectPartialRevert(IRouter.NotScheduled.selector);
        router.applyMirror(next);
    }

    function test_delayCannotBeShortenedAtOnce() public {
        vm.expectPartialRevert(IRouter.DelayTooShort.selector);
        router.setUpgradeDelay(1);
        router.setUpgradeDelay(1 hours);
        vm.expectPartialRevert(IRouter.NotScheduled.selector);
        router.applyUpgradeDelay(1 hours);
        vm.warp(block.timestamp + 2 days);
        router.applyUpgradeDelay(1 hours);
        ensure(router.upgradeDelay() == 1 hours, "delay");
    }

    function test_codeRequest() public {
        bytes32 request = requestCode(CODE, BLOB);
        ensure(router.codeState(CODE) == Gear.CodeState.ValidationRequested, "requested");
        ensure(vara.balanceOf(address(router)) == 1000e12 && router.totalCodeFees() == 1000e12, "fee");
        vm.prank(user);
        vm.expectRevert(IRouter.CodeAlreadyOnValidationOrValidated.selector);
        router.requestCodeValidation(CODE, 0, 0, 0, 0);
        ensure(IRouter.CodeAlreadyOnValidationOrValidated.selector == 0x2628d198, "selector that clients know");
        Gear.Batch memory batch = emptyBatch();
        withItem(batch, Gear.CODE_RESULT, abi.encode(CODE, request, true));
        commit(batch);
        ensure(router.codeState(CODE) == Gear.CodeState.Validated && router.validatedCodesCount() == 1, "validated");
    }

    function test_foreignBlobsDoNotSpoilARequest() public {
        bytes32 forged = requestCode(CODE, bytes32(uint256(BLOB) + 1));
        bytes32 real = requestCode(CODE, BLOB);
        vm.recordLogs();
        Gear.Batch memory batch = emptyBatch();
        withItem(batch, Gear.CODE_RESULT, abi.encode(CODE, forged, false));
        commit(batch);
        ensure(count(vm.getRecordedLogs(), IRouter.CodeGotValidated.selector) == 0, "not refused yet");
        ensure(router.codeState(CODE) == Gear.CodeState.ValidationRequested, "still pending");
        batch = emptyBatch();
        withItem(batch, Gear.CODE_RESULT, abi.encode(CODE, real, true));
        commit(batch);
        ensure(router.codeState(CODE) == Gear.CodeState.Validated, "validated");
    }

    function test_refusedCodeCanBeRequestedAgain() public {
        bytes32 request = requestCode(CODE, BLOB);
        Gear.Batch memory batch = emptyBatch();
        withItem(batch, Gear.CODE_RESULT, abi.encode(CODE, request, false));
        vm.recordLogs();
        commit(batch);
        ensure(count(vm.getRecordedLogs(), IRouter.CodeGotValidated.selector) == 1, "told");
        ensure(router.codeState(CODE) == Gear.CodeState.Unknown, "unknown");
        requestCode(CODE, BLOB);
    }

    function test_requestNeedsABlobAndTheFee() public {
        vm.blobhashes(new bytes32[](0));
        vm.expectRevert(IRouter.BlobNotFound.selector);
        router.requestCodeValidation(CODE, 0, 0, 0, 0);
        bytes32[] memory hashes = new bytes32[](1);
        hashes[0] = BLOB;
        vm.blobhashes(hashes);
        vm.expectPartialRevert(bytes4(keccak256("ERC20InsufficientAllowance(address,uint256,uint256)")));
        router.requestCodeValidation(CODE, 0, 0, 0, 0);
    }

    function test_requestOnBehalf() public {
        uint256 key = 0xA11CE;
        address requester = vm.addr(key);
        vara.mint(requester, 2000e12);
        bytes32[] memory hashes = new bytes32[](1);
        hashes[0] = BLOB;
        vm.blobhashes(hashes);
        vm.prank(requester);
        vara.approve(address(router), 1500e12);
        uint256 deadline = block.timestamp + 1;
        bytes32 structHash = keccak256(
            abi.encode(
                keccak256(
                    "RequestCodeValidationOnBehalf(address requester,bytes32 codeId,bytes32[] blobHashes,uint256 nonce,uint256 deadline)"
                ),
                requester,
                CODE,
                keccak256(abi.encodePacked(hashes)),
                router.nonces(requester),
                deadline
            )
        );
        bytes32 digest = keccak256(abi.encodePacked(hex"1901", router.DOMAIN_SEPARATOR(), structHash));
        (uint8 v, bytes32 r, bytes32 s) = vm.sign(key, digest);
        vm.prank(user);
        router.requestCodeValidationOnBehalf(requester, CODE, hashes, deadline, v, r, s, 0, 0, 0);
        ensure(vara.balanceOf(requester) == 500e12 && vara.balanceOf(address(router)) == 1000e12, "fees");
        vm.prank(user);
        vm.expectPartialRevert(IRouter.InvalidSigner.selector);
        router.requestCodeValidationOnBehalf(requester, CODE, hashes, deadline, v, r, s, 0, 0, 0);
    }

    function test_addressesCannotBeTakenByOthers() public {
        vm.expectRevert(IRouter.CodeNotValidated.selector);
        router.createProgram(CODE, 0, address(0));
        validateCode();
        address expected = router.predictProgramAddress(user, CODE, 0, false);
        address foreign = router.createProgram(CODE, 0, address(0));
        ensure(foreign != expected, "another address for another caller");
        ensure(address(createProgram(0)) == expected, "predicted");
        ensure(address(createTyped(0)) == router.predictProgramAddress(user, CODE, 0, true), "predicted with typed ABI");
        ensure(router.programsCount() == 3 && router.programCodeId(expected) == CODE, "listed");
    }

    function test_createWithExecutableBalance() public {
        validateCode();
        vm.prank(user);
        vara.approve(address(router), 77);
        vm.prank(user);
        address program = router.createProgramWithExecutableBalance(CODE, 0, address(0), 77, 0, 0, 0, 0);
        ensure(router.totalExecutableDeposits() == 77, "endowed");
        ensure(Mirror(payable(program)).initializer() == user, "initialiser");
    }

    function test_storageViewTellsWhatTheViewsTell() public {
        validateCode();
        createProgram(0);
        vm.roll(block.number + 1);
        router.lookupGenesisHash();
        IRouter.StorageView memory all = router.storageView();
        ensure(all.genesisBlock.hash == router.genesisBlockHash() && all.genesisBlock.number == 1000, "genesis");
        ensure(all.genesisBlock.timestamp == router.genesisTimestamp(), "genesis time");
        ensure(all.latestCommittedBatch.hash == router.latestCommittedBatchHash(), "batch");
        ensure(all.latestCommittedBatch.timestamp == router.latestCommittedBatchTimestamp(), "batch time");
        ensure(all.implAddresses.mirror == router.mirrorImpl(), "mirror");
        ensure(all.implAddresses.wrappedVara == router.wrappedVara(), "wVARA");
        ensure(all.implAddresses.middleware == router.middleware(), "middleware");
        (uint128 numerator, uint128 denominator) = router.signingThresholdFraction();
        ensure(all.validationSettings.thresholdNumerator == numerator, "numerator");
        ensure(all.validationSettings.thresholdDenominator == denominator, "denominator");
        address[] memory list = all.validationSettings.validators0.list;
        ensure(list.length == 4 && list[3] == router.validators()[3], "validators");
        ensure(all.validationSettings.validators0.useFromTimestamp == 1_800_000_000, "since");
        ensure(all.validationSettings.validators1.list.length == 0, "no other set");
        ensure(all.computeSettings.wvaraPerSecond == router.computeSettings().wvaraPerSecond, "compute");
        ensure(all.programsCount == 1 && all.validatedCodesCount == 1 && all.maxValidators == 256, "counts");
        ensure(all.requestCodeValidationBaseFee == router.requestCodeValidationBaseFee(), "base fee");
        ensure(all.requestCodeValidationExtraFee == router.requestCodeValidationExtraFee(), "extra fee");
        ensure(all.protocolVersion == router.protocolVersion(), "version");
    }

    function test_version() public {
        ensure(router.protocolVersion() == 1 << 32, "packed");
        ensure(router.subProtocolVersion(0) == 1, "major");
        ensure(router.subProtocolVersion(1) == 0 && router.subProtocolVersion(2) == 0, "minor and patch");
        vm.expectRevert(abi.encodeWithSelector(IRouter.UnknownVersionType.selector, 3));
        router.subProtocolVersion(3);
        vm.recordLogs();
        deploy(4);
        ensure(count(vm.getRecordedLogs(), IRouter.ProtocolVersionChanged.selector) == 1, "told at the start");
    }

    function test_setUpRefusesASetThatIsNone() public {
        Router implementation = new Router();
        Router.InitParams memory params;
        params.owner = address(this);
        params.upgradeDelay = 1 days;
        vm.expectRevert(ValidatorSet.EmptyValidatorsList.selector);
        new ERC1967Proxy(address(implementation), abi.encodeCall(Router.initialize, (params)));
    }

    function test_programsByPermit() public {
        validateCode();
        uint256 key = 0xA11CE;
        address payer = vm.addr(key);
        vara.mint(payer, 100);
        (uint8 v, bytes32 r, bytes32 s) = signPermit(key, address(router), 77, block.timestamp);
        vm.prank(payer);
        address program = router.createProgramWithAbiInterfaceAndExecutableBalance(
            CODE, 0, address(0), address(0xAB1), 77, block.timestamp, v, r, s
        );
        ensure(router.totalExecutableDeposits() == 77 && vara.balanceOf(payer) == 23, "endowed");
        ensure(router.programCodeId(program) == CODE, "created");
        // Who sees the permit in the mempool may use it first, and stops nobody.
        (v, r, s) = signPermit(key, address(router), 23, block.timestamp);
        vara.permit(payer, address(router), 23, block.timestamp, v, r, s);
        vm.prank(payer);
        router.createProgramWithExecutableBalance(CODE, "1", address(0), 23, block.timestamp, v, r, s);
        ensure(vara.balanceOf(payer) == 0, "paid");
    }

    function test_viewsThatClientsRead() public {
        ensure(router.validatorsThreshold() == 3 && router.validatorsCount() == 4, "threshold");
        ensure(router.areValidators(router.validators()), "validators");
        ensure(!router.isValidator(user), "no validator");
        (uint128 numerator, uint128 denominator) = router.signingThresholdFraction();
        ensure(numerator == 2 && denominator == 3, "fraction");
        ensure(vara.decimals() == 12, "decimals");
        vm.roll(block.number + 1);
        router.lookupGenesisHash();
        ensure(router.genesisBlockHash() != 0, "genesis");
    }
}
