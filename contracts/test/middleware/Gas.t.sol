// SPDX-License-Identifier: GPL-3.0-or-later
pragma solidity ^0.8.30;

import { IVault } from "@symbioticfi/core/src/interfaces/vault/IVault.sol";
import { MiddlewareFixture } from "../utils/MiddlewareFixture.sol";

/// @notice What the largest items cost the Middleware, against what the Router keeps for it (`RouterItems`).
contract MiddlewareGasTest is MiddlewareFixture {
    event Measured(uint256 gas);

    uint48 private capture;

    function setUp() public override {
        super.setUp();
        registerOperator(alice);
        for (uint256 i = 0; i < members.MAX_VAULTS(); ++i) {
            stake(addVault(alice), staker, 100 ether);
        }
        capture = now48();
        pass(12);
    }

    function test_gas_slashOfSixVaults() public {
        uint256 before = gasleft();
        slashDirectly(1, alice, ONE / 2, capture);
        within(before - gasleft(), 2_200_000, 5_500_000);
        same(requestsOf(1).length, 6, "all six");
    }

    function test_gas_cancelOfSixVaults() public {
        slashDirectly(1, alice, ONE / 2, capture);
        uint256 before = gasleft();
        cancelDirectly(1);
        within(before - gasleft(), 500_000, 1_500_000);
    }

    /// @dev Measured with as many vaults as one test can make.
    function test_gas_rewardsOf64Vaults() public {
        uint256 some = 24;
        address[] memory vaults = new address[](some);
        uint128[] memory amounts = new uint128[](some);
        for (uint256 i = 0; i < some; ++i) {
            address operator = address(uint160(0x2000 + i / 6));
            if (i % 6 == 0) registerOperator(operator);
            IVault vault = addVault(operator);
            (vaults[i], amounts[i]) = (address(vault), 1);
        }
        vm.prank(user);
        vara.transfer(address(middleware), some + 1);
        vm.prank(address(router));
        uint256 before = gasleft();
        middleware.distributeRewards(1, capture, bytes32(uint256(1)), 1, vaults, amounts);
        within((before - gasleft()) * 64 / some, 2_400_000, 2_500_000);
    }

    function test_gas_operatorsOf256Signers() public {
        address[] memory signers = new address[](256);
        for (uint256 i = 0; i < 256; ++i) {
            signers[i] = address(uint160(uint256(keccak256(abi.encode(i)))));
        }
        vm.prank(address(router));
        uint256 before = gasleft();
        middleware.setOperators(1, capture, signers, signers);
        within(before - gasleft(), 2_400_000, 3_000_000);
        ensure(middleware.operatorOfSigner(1, signers[255]) == signers[255], "the last one");
    }

    function test_gas_executeSixVaults() public {
        slashDirectly(1, alice, ONE / 2, capture);
        pass(VETO);
        uint256 before = gasleft();
        same(middleware.executeSlash(1), 6, "all six");
        within(before - gasleft(), 2_000_000, 16_777_216);
    }

    /// @dev Measured, with room, and below what the Router keeps.
    function within(uint256 used, uint256 most, uint256 kept) private {
        emit Measured(used);
        ensure(used <= most && most <= kept, string.concat("used ", vm.toString(used)));
    }
}
