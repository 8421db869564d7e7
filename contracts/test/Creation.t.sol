// SPDX-License-Identifier: GPL-3.0-or-later
pragma solidity ^0.8.30;

import { IMirror } from "../src/IMirror.sol";
import { IRouter } from "../src/IRouter.sol";
import { Mirror } from "../src/Mirror.sol";
import { Gear } from "../src/libraries/Gear.sol";
import { ValidatorSet } from "../src/libraries/ValidatorSet.sol";
import { RouterFixture } from "./utils/RouterFixture.sol";
import { Vm } from "./utils/Vm.sol";

/// @notice Programs that programs create: their Mirrors come with the batch that tells of them.
contract CreationTest is RouterFixture {
    bytes32 private constant SALT = keccak256("salt");

    Mirror private creator;

    function setUp() public override {
        super.setUp();
        validateCode();
        creator = createProgram(0);
        initMessage(creator);
    }

    function create(Gear.Batch memory batch, bytes32 salt) private view returns (address child) {
        Gear.ProgramCreation[] memory list = new Gear.ProgramCreation[](batch.creations.length + 1);
        for (uint256 i = 0; i < batch.creations.length; ++i) {
            list[i] = batch.creations[i];
        }
        list[batch.creations.length] = Gear.ProgramCreation(address(creator), CODE, salt);
        batch.creations = list;
        child = router.predictProgramAddress(address(creator), CODE, salt, false);
        withTransition(batch, child);
    }

    function test_aMirrorComesWithItsFirstState() public {
        Gear.Batch memory batch = emptyBatch();
        address child = create(batch, SALT);
        vm.recordLogs();
        commit(batch);
        ensure(count(vm.getRecordedLogs(), IRouter.ProgramCreated.selector) == 1, "told");
        ensure(router.programCodeId(child) == CODE && router.programsCount() == 2, "known");
        Mirror mirror = Mirror(payable(child));
        ensure(mirror.stateHash() == batch.transitions[0].newStateHash, "state");
        ensure(mirror.initializer() == address(creator) && mirror.isSmall(), "set up");
        // Its first message came from its creator: anybody may send the next.
        bytes32 id = initMessage(mirror);
        ensure(id == keccak256(abi.encodePacked(child, uint256(1))), "id of a message");
        vm.expectRevert(IMirror.InitializerAlreadySet.selector);
        vm.prank(address(router));
        mirror.initializeByProgram(user);
    }

    function test_valueOfTheCreator() public {
        vm.prank(user);
        creator.sendMessage{ value: 10 }("", false);
        Gear.Batch memory batch = emptyBatch();
        address child = create(batch, SALT);
        for (uint256 i = 0; i < batch.transitions.length; ++i) {
            if (batch.transitions[i].actorId != child) continue;
            batch.transitions[i].netTransfer = 10;
            batch.transitions[i].valueToReceive = 4;
        }
        withTransition(batch, address(creator)).netTransfer = -10;
        commit(batch);
        ensure(child.balance == 4 && router.custody(child) == 6, "the child's");
        ensure(router.custody(address(creator)) == 0, "the creator's");
    }

    function test_several() public {
        Gear.Batch memory batch = emptyBatch();
        address[3] memory children = [create(batch, SALT), create(batch, bytes32(0)), create(batch, keccak256("third"))];
        commit(batch);
        for (uint256 i = 0; i < children.length; ++i) {
            ensure(Mirror(payable(children[i])).stateHash() != 0, "each has its state");
        }
    }

    function test_validatorsSignForIt() public {
        Gear.Batch memory batch = emptyBatch();
        create(batch, SALT);
        (bytes memory bitmap, bytes memory signatures) = signBy(batch, type(uint256).max);
        batch.creations[0].salt = keccak256("another");
        vm.expectPartialRevert(ValidatorSet.InvalidSignature.selector);
        router.commitBatch(batch, bitmap, signatures);
    }

    /// A faulty quorum's batch, which an honest executor never makes.
    function test_twice() public {
        Gear.Batch memory batch = emptyBatch();
        create(batch, SALT);
        commit(batch);
        Gear.Batch memory again = emptyBatch();
        create(again, SALT);
        (bytes memory bitmap, bytes memory signatures) = signBy(again, type(uint256).max);
        bytes32 before = router.latestCommittedBatchHash();
        (bool success,) = address(router).call(abi.encodeCall(router.commitBatch, (again, bitmap, signatures)));
        ensure(!success && router.latestCommittedBatchHash() == before, "refused as a whole");
    }

    function test_nobodyElseCanTakeTheAddress() public {
        vm.prank(user);
        address other = router.createProgram(CODE, SALT, address(creator));
        ensure(other != router.predictProgramAddress(address(creator), CODE, SALT, false), "another address");
        Gear.Batch memory batch = emptyBatch();
        create(batch, SALT);
        commit(batch);
    }

    function test_onlyTheRouterSetsUp() public {
        vm.expectRevert(IMirror.CallerNotRouter.selector);
        creator.initializeByProgram(user);
    }
}
