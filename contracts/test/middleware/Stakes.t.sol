// SPDX-License-Identifier: GPL-3.0-or-later
pragma solidity ^0.8.30;

import { IOptInService } from "@symbioticfi/core/src/interfaces/service/IOptInService.sol";
import { IOperatorSpecificDelegator } from "@symbioticfi/core/src/interfaces/delegator/IOperatorSpecificDelegator.sol";
import { IVault } from "@symbioticfi/core/src/interfaces/vault/IVault.sol";
import { IMiddlewareTypes } from "../../src/IMiddleware.sol";
import { MiddlewareFixture } from "../utils/MiddlewareFixture.sol";
import { Symbiotic } from "../utils/Symbiotic.sol";

/// @notice What validators read: stakes at any time of the past, whatever happened since.
contract StakesTest is MiddlewareFixture {
    /// @dev What is expected at a time.
    struct Expected {
        uint48 time;
        uint256 amount;
        string what;
    }

    Expected[] private history;

    function test_thePastStaysAsItWas() public {
        registerOperator(alice);
        note(0, "no vault");
        IVault vault = makeVault(vaultParams(alice));
        stake(vault, staker, 10 ether);
        note(0, "not registered");
        vm.prank(alice);
        members.registerVault(address(vault));
        note(10 ether, "registered");
        stake(vault, bob, 5 ether);
        note(15 ether, "more");
        vm.prank(bob);
        vault.withdraw(bob, 3 ether);
        note(12 ether, "less");
        vm.prank(alice);
        members.setVaultEnabled(address(vault), false);
        note(0, "vault disabled");
        vm.prank(alice);
        members.setVaultEnabled(address(vault), true);
        note(12 ether, "vault enabled");
        vm.prank(alice);
        members.setOperatorEnabled(false);
        note(0, "operator disabled");
        vm.prank(alice);
        members.setOperatorEnabled(true);
        note(12 ether, "operator enabled");
        middleware.setCollateral(address(weth), BURNER, false);
        note(0, "collateral out");
        middleware.setCollateral(address(weth), BURNER, true);
        note(12 ether, "collateral in");
        middleware.setWindows(SLASH_WINDOW + 6 days, EXECUTION_MARGIN, MIN_VETO);
        note(0, "epoch too short");
        middleware.setWindows(SLASH_WINDOW, EXECUTION_MARGIN, VETO + 1);
        note(0, "veto too short");
        middleware.setWindows(SLASH_WINDOW, EXECUTION_MARGIN, VETO);
        note(12 ether, "windows fit");
        IOptInService service = IOptInService(symbiotic.operatorNetworkOptIn());
        vm.prank(alice);
        service.optOut(address(middleware));
        note(0, "out of the network");
        vm.prank(alice);
        service.optIn(address(middleware));
        note(12 ether, "in the network");
        uint48 capture = now48() - 12;
        slashDirectly(1, alice, ONE / 4, capture);
        note(12 ether, "asked");
        pass(VETO);
        middleware.executeSlash(1);
        note(9.6 ether, "slashed, with the pending withdrawal");
        same(history.length, 18, "all noted");
        for (uint256 i = 0; i < history.length; ++i) {
            same(stakeAt(history[i].time), history[i].amount, history[i].what);
        }
    }

    function test_allOfAllInOrder() public {
        (IVault first,) = operatorWith(alice, 10 ether);
        IVault second = addVault(alice);
        IVault empty = addVault(alice);
        registerOperator(bob);
        IVault third = addVault(bob);
        stake(second, bob, 20 ether);
        stake(third, bob, 30 ether);
        uint48 time = now48();
        IMiddlewareTypes.VaultStake[] memory all = middleware.stakesAt(time, 0, type(uint256).max);
        same(all.length, 3, "nothing for the empty one");
        ensure(all[0].vault == address(first) && all[0].amount == 10 ether && all[0].operator == alice, "first");
        ensure(all[1].vault == address(second) && all[1].amount == 20 ether && all[1].operator == alice, "second");
        ensure(all[2].vault == address(third) && all[2].amount == 30 ether && all[2].operator == bob, "third");
        ensure(all[0].collateral == address(weth) && address(empty) != address(0), "collateral");
        same(middleware.stakesAt(time, 1, 2).length, 1, "a page");
        ensure(middleware.stakesAt(time, 1, 2)[0].operator == bob, "the right one");
        same(middleware.stakesAt(time, 2, 9).length, 0, "beyond the end");
        same(middleware.stakesAt(time, 2, 1).length, 0, "backwards");
        same(middleware.stakesOf(alice, time).length, 2, "of one");
        vm.expectRevert(abi.encodeWithSelector(IMiddlewareTypes.FutureTimestamp.selector, time + 1));
        middleware.stakesAt(time + 1, 0, 2);
    }

    function test_restakedVaultsCountInPart() public {
        registerOperator(alice);
        Symbiotic.VaultParams memory params = vaultParams(alice);
        params.delegator = 2;
        IVault vault = registerVault(params);
        stake(vault, staker, 10 ether);
        IOperatorSpecificDelegator delegator = IOperatorSpecificDelegator(vault.delegator());
        same(stakeAt(now48()), 0, "the vault gives nothing yet");
        delegator.setNetworkLimit(middleware.subnetwork(), 8 ether);
        same(stakeAt(now48()), 4 ether, "half of the limit");
        uint48 capture = now48();
        pass(12);
        middleware.setFractions(ONE, 0, 0);
        same(stakeAt(capture), 4 ether, "as registered");
        slashDirectly(1, alice, ONE / 2, capture);
        pass(VETO);
        middleware.executeSlash(1);
        same(burnt(), 4 ether, "slashed by what it holds, not by what counts");
    }

    function note(uint256 amount, string memory what) private {
        pass(12);
        history.push(Expected(now48(), amount, what));
        pass(12);
    }

    function stakeAt(uint48 time) private view returns (uint256 sum) {
        IMiddlewareTypes.VaultStake[] memory all = middleware.stakesAt(time, 0, 1);
        for (uint256 i = 0; i < all.length; ++i) {
            sum += all[i].amount;
        }
    }
}

/// @notice The same for any amounts.
contract StakesFuzz is MiddlewareFixture {
    function testFuzz_theSumOfWhatIsStaked(uint256[6] memory amounts, uint256 order) public {
        registerOperator(alice);
        registerOperator(bob);
        IVault[] memory vaults = new IVault[](4);
        for (uint256 i = 0; i < 4; ++i) {
            vaults[i] = addVault(i % 2 == 0 ? alice : bob);
        }
        uint256[4] memory held;
        for (uint256 i = 0; i < amounts.length; ++i) {
            uint256 amount = amounts[i] % 1000 ether + 1;
            uint256 place = (order >> (2 * i)) & 3;
            stake(vaults[place], staker, amount);
            held[place] += amount;
            uint48 time = now48();
            pass(12);
            uint256 sum = 0;
            IMiddlewareTypes.VaultStake[] memory all = middleware.stakesAt(time, 0, 2);
            for (uint256 j = 0; j < all.length; ++j) {
                sum += all[j].amount;
            }
            same(sum, held[0] + held[1] + held[2] + held[3], "sum");
        }
    }
}
