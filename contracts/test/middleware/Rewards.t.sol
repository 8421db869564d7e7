// SPDX-License-Identifier: GPL-3.0-or-later
pragma solidity ^0.8.30;

import { IVault } from "@symbioticfi/core/src/interfaces/vault/IVault.sol";
import { Mirror } from "../../src/Mirror.sol";
import { IRouter } from "../../src/IRouter.sol";
import { IMiddlewareTypes } from "../../src/IMiddleware.sol";
import { Gear } from "../../src/libraries/Gear.sol";
import { MerkleTree } from "../../src/libraries/MerkleTree.sol";
import { MiddlewareFixture } from "../utils/MiddlewareFixture.sol";
import { Vm } from "../utils/Vm.sol";

/// @notice Rewards: from what programs paid, through a batch, to operators and stakers.
abstract contract RewardsFixture is MiddlewareFixture {
    bytes32 internal constant SKIPPED = keccak256("OutboxItemSkipped(uint64,uint8,bytes)");
    uint128 internal constant POOL = 10_000e12;

    IVault internal vault;
    uint48 internal capture;

    function setUp() public override {
        super.setUp();
        registerOperator(alice);
        vault = addVault(alice);
        stake(vault, staker, 30 ether);
        stake(vault, bob, 10 ether);
        capture = now48();
        pass(12);
        validateCode();
        Mirror mirror = createProgram("paying");
        vm.prank(user);
        vara.approve(address(mirror), POOL - 1000e12);
        vm.prank(user);
        mirror.executableBalanceTopUp(POOL - 1000e12);
        spend(POOL - 1000e12);
        same(router.totalSpent() + router.totalCodeFees(), POOL, "what programs and codes paid");
    }

    function spend(uint128 amount) internal {
        Gear.Batch memory batch = emptyBatch();
        batch.spent = amount;
        commit(batch);
    }

    function rewardsData(uint32 era, bytes32 root, uint128 operators, uint128 stakers)
        internal
        view
        returns (bytes memory)
    {
        address[] memory vaults = new address[](1);
        uint128[] memory amounts = new uint128[](1);
        (vaults[0], amounts[0]) = (address(vault), stakers);
        return abi.encode(era, capture, root, operators, vaults, amounts);
    }

    function rewards(uint32 era, bytes32 root, uint128 operators, uint128 stakers) internal {
        Gear.Batch memory batch = emptyBatch();
        withItem(batch, Gear.REWARDS, rewardsData(era, root, operators, stakers));
        vm.recordLogs();
        commit(batch);
        ensure(count(vm.getRecordedLogs(), SKIPPED) == 0, "applied");
    }
}

/// @notice What operators and stakers get, and when nobody gets anything.
contract RewardsTest is RewardsFixture {
    function test_stakersShareByWhatTheyHeldAtTheCapture() public {
        stake(vault, bob, 1000 ether);
        vm.prank(staker);
        vault.withdraw(staker, 30 ether);
        rewards(1, 0, 0, 400e12);
        same(router.totalRewards(), 400e12, "noted");
        same(members.stakerReward(1, address(vault), staker), 300e12, "what it may claim");
        vm.prank(staker);
        members.claimStakerReward(1, address(vault), staker);
        vm.prank(bob);
        members.claimStakerReward(1, address(vault), address(0xCAFE));
        same(vara.balanceOf(staker), 300e12, "three quarters");
        same(vara.balanceOf(address(0xCAFE)), 100e12, "a quarter, where it wants it");
        same(members.stakerReward(1, address(vault), staker), 0, "claimed");
        claimRefused(staker, 1, address(vault));
        claimRefused(alice, 1, address(vault));
        claimRefused(staker, 2, address(vault));
        same(vara.balanceOf(address(middleware)), 0, "all is paid");
        same(members.owedRewards(), 0, "nothing is owed");
    }

    function test_operatorsClaimByProof() public {
        bytes32 one = members.operatorRewardLeaf(3, alice, 70);
        bytes32 two = members.operatorRewardLeaf(3, bob, 30);
        bytes32 root = keccak256(abi.encodePacked(uint8(2), uint64(2), keccak256(abi.encodePacked(uint8(1), one, two))));
        rewards(3, root, 100, 0);
        bytes32[] memory proof = new bytes32[](1);
        proof[0] = two;
        proofRefused(3, bob, 70, 0, 2, proof);
        proofRefused(3, alice, 71, 0, 2, proof);
        proofRefused(3, alice, 70, 1, 2, proof);
        proofRefused(3, alice, 70, 0, 3, proof);
        proofRefused(3, alice, 70, 2, 2, proof);
        proofRefused(4, alice, 70, 0, 2, proof);
        proofRefused(3, alice, 70, 0, 2, new bytes32[](0));
        proofRefused(3, alice, 70, 0, 2, new bytes32[](2));
        vm.prank(user);
        members.claimOperatorReward(3, alice, 70, 0, 2, proof);
        same(vara.balanceOf(alice), 70, "paid to the operator");
        vm.expectRevert(IMiddlewareTypes.NothingToClaim.selector);
        members.claimOperatorReward(3, alice, 70, 0, 2, proof);
        proof[0] = one;
        members.claimOperatorReward(3, bob, 30, 1, 2, proof);
        same(vara.balanceOf(bob), 30, "the other one");
        (, uint128 total, uint128 claimed,) = members.eraRewards(3);
        ensure(total == 100 && claimed == 100, "all");
    }

    function test_aRootThatPromisesMoreThanCamePaysWhatCame() public {
        bytes32 leaf = members.operatorRewardLeaf(3, alice, 101);
        rewards(3, keccak256(abi.encodePacked(uint8(2), uint64(1), leaf)), 100, 400e12);
        vm.expectRevert(IMiddlewareTypes.NothingToClaim.selector);
        members.claimOperatorReward(3, alice, 101, 0, 1, new bytes32[](0));
    }

    function test_moreThanProgramsPaidIsSkipped() public {
        skipped(
            rewardsData(1, 0, 0, POOL + 1), abi.encodeWithSelector(IRouter.RewardsExceedPool.selector, POOL, POOL + 1)
        );
        rewards(1, 0, 0, POOL - 1);
        skipped(rewardsData(2, 0, 0, 2), abi.encodeWithSelector(IRouter.RewardsExceedPool.selector, 1, 2));
        rewards(2, 0, 0, 1);
        same(vara.balanceOf(address(middleware)), POOL, "to the last unit");
        same(vara.balanceOf(address(router)), 0, "all of it");
    }

    function test_whatProgramsHaveNotSpentIsTheirs() public {
        Mirror mirror = createProgram("saving");
        vm.prank(user);
        vara.approve(address(mirror), 5);
        vm.prank(user);
        mirror.executableBalanceTopUp(5);
        skipped(
            rewardsData(1, 0, 0, POOL + 1), abi.encodeWithSelector(IRouter.RewardsExceedPool.selector, POOL, POOL + 1)
        );
        spend(3);
        rewards(1, 0, 0, POOL + 3);
        // Whatever validators sign, no more was spent than came in, and the batch applies.
        spend(type(uint128).max);
        spend(7);
        same(router.totalSpent(), type(uint128).max, "counted");
        skipped(rewardsData(2, 0, 0, 3), abi.encodeWithSelector(IRouter.RewardsExceedPool.selector, 2, 3));
        rewards(2, 0, 0, 2);
        same(vara.balanceOf(address(router)), 0, "all of it");
    }

    function test_whatTheMiddlewareRefusesLeavesTheMoney() public {
        address[] memory vaults = new address[](1);
        uint128[] memory amounts = new uint128[](1);
        (vaults[0], amounts[0]) = (bob, 1);
        refused(
            abi.encode(uint32(1), capture, bytes32(0), uint128(0), vaults, amounts),
            abi.encodeWithSelector(IMiddlewareTypes.UnknownVault.selector, bob)
        );
        refused(
            abi.encode(uint32(1), capture, bytes32(0), uint128(0), vaults, new uint128[](2)),
            abi.encodeWithSelector(IMiddlewareTypes.InvalidLists.selector)
        );
        refused(
            abi.encode(uint32(1), capture, bytes32(0), uint128(0), new address[](65), new uint128[](65)),
            abi.encodeWithSelector(IMiddlewareTypes.InvalidLists.selector)
        );
        refused(
            abi.encode(uint32(1), now48(), bytes32(0), uint128(0), new address[](0), new uint128[](0)),
            abi.encodeWithSelector(IMiddlewareTypes.FutureTimestamp.selector, now48())
        );
        rewards(1, bytes32(uint256(1)), 5, 5);
        refused(
            rewardsData(1, bytes32(uint256(1)), 5, 5), abi.encodeWithSelector(IMiddlewareTypes.EraKnown.selector, 1)
        );
        capture -= 1;
        refused(rewardsData(1, 0, 0, 5), abi.encodeWithSelector(IMiddlewareTypes.EraKnown.selector, 1));
        capture += 1;
        rewards(1, 0, 0, 7);
        (uint128 amount,) = members.vaultRewards(1, address(vault));
        same(amount, 12, "further items of an era add up");
        same(vara.balanceOf(address(middleware)), 17, "what came");
        same(vara.balanceOf(address(router)), POOL - 17, "the rest");
    }

    function test_onlyTheRouterAndOnlyWhatCame() public {
        vm.expectRevert(abi.encodeWithSelector(IMiddlewareTypes.NotRouter.selector, address(this)));
        middleware.distributeRewards(1, capture, 0, 1, new address[](0), new uint128[](0));
        vm.prank(address(router));
        vm.expectRevert(abi.encodeWithSelector(IMiddlewareTypes.RewardsNotFunded.selector, 1, 0));
        middleware.distributeRewards(1, capture, 0, 1, new address[](0), new uint128[](0));
    }

    function refused(bytes memory data, bytes memory reason) private {
        uint256 held = vara.balanceOf(address(router));
        skipped(data, abi.encodeWithSelector(IRouter.MiddlewareRefused.selector, reason));
        same(vara.balanceOf(address(router)), held, "the money stays");
    }

    function skipped(bytes memory data, bytes memory reason) private {
        Gear.Batch memory batch = emptyBatch();
        withItem(batch, Gear.REWARDS, data);
        vm.recordLogs();
        commit(batch);
        Vm.Log[] memory logs = vm.getRecordedLogs();
        bool found = false;
        for (uint256 i = 0; i < logs.length; ++i) {
            if (logs[i].topics[0] != SKIPPED) continue;
            (, uint8 kind, bytes memory actual) = abi.decode(logs[i].data, (uint64, uint8, bytes));
            ensure(kind == Gear.REWARDS && keccak256(actual) == keccak256(reason), "the reason");
            found = true;
        }
        ensure(found, "skipped");
    }

    function claimRefused(address who, uint32 era, address from) private {
        vm.prank(who);
        vm.expectRevert(IMiddlewareTypes.NothingToClaim.selector);
        members.claimStakerReward(era, from, who);
    }

    function proofRefused(uint32 era, address who, uint128 amount, uint64 index, uint64 leaves, bytes32[] memory proof)
        private
    {
        vm.expectRevert(IMiddlewareTypes.InvalidProof.selector);
        members.claimOperatorReward(era, who, amount, index, leaves, proof);
    }
}

/// @notice The same for any stakes and rewards.
contract RewardsFuzz is RewardsFixture {
    function testFuzz_nothingIsMadeAndNothingIsLost(uint256[5] memory stakes, uint128[3] memory given) public {
        IVault other = addVault(alice);
        address[5] memory who;
        for (uint256 i = 0; i < 5; ++i) {
            who[i] = address(uint160(0x1000 + i));
            stake(other, who[i], stakes[i] % 1000 ether + 1);
        }
        capture = now48();
        pass(12);
        vault = other;
        uint256 total = 0;
        for (uint32 era = 0; era < 3; ++era) {
            given[era] = given[era] % (POOL / 4) + 1;
            rewards(era, 0, 0, given[era]);
            total += given[era];
        }
        uint256 paid = 0;
        for (uint32 era = 0; era < 3; ++era) {
            for (uint256 i = 0; i < 5; ++i) {
                uint256 amount = members.stakerReward(era, address(other), who[i]);
                if (amount == 0) continue;
                vm.prank(who[i]);
                same(members.claimStakerReward(era, address(other), who[i]), amount, "as shown");
                paid += amount;
            }
        }
        same(members.owedRewards(), total - paid, "owed");
        same(vara.balanceOf(address(middleware)), total - paid, "held");
        ensure(total - paid < 3 * 5, "rounding leaves less than one unit for each");
    }
}

/// @notice The trees that Rust makes.
contract RewardVectors is MiddlewareFixture {
    /// @dev `primitives/tests/vectors.rs` writes these trees.
    function test_treesAsRustMakesThem() public view {
        string memory json = vm.readFile("../primitives/vectors/rewards.json");
        uint256 trees = 0;
        uint256 leaves = 0;
        for (;; ++trees) {
            string memory key = string.concat(".trees[", vm.toString(trees), "]");
            if (!vm.keyExistsJson(json, key)) break;
            bytes32 root = vm.parseJsonBytes32(json, string.concat(key, ".root"));
            uint64 count = uint64(vm.parseJsonUint(json, string.concat(key, ".count")));
            uint32 era = uint32(vm.parseJsonUint(json, string.concat(key, ".era")));
            for (uint64 i = 0; i < count; ++i) {
                string memory entry = string.concat(key, ".entries[", vm.toString(i), "]");
                bytes32 leaf = members.operatorRewardLeaf(
                    era,
                    vm.parseJsonAddress(json, string.concat(entry, ".operator")),
                    uint128(vm.parseJsonUint(json, string.concat(entry, ".amount")))
                );
                bytes32[] memory proof = vm.parseJsonBytes32Array(json, string.concat(entry, ".proof"));
                ensure(this.verify(root, count, i, leaf, proof), "Rust's proof holds");
                ensure(!this.verify(root, count, (i + 1) % (count + 1), leaf, proof), "at its place only");
                ensure(!this.verify(root, count + 1, i, leaf, proof), "of its tree only");
                ++leaves;
            }
        }
        ensure(trees == 7 && leaves == 28, "all trees");
    }

    function verify(bytes32 root, uint64 count, uint64 index, bytes32 leaf, bytes32[] calldata proof)
        external
        pure
        returns (bool)
    {
        return MerkleTree.verify(root, count, index, leaf, proof);
    }
}
