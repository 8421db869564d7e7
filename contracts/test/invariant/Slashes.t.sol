// SPDX-License-Identifier: GPL-3.0-or-later
pragma solidity ^0.8.30;

import { IVault } from "@symbioticfi/core/src/interfaces/vault/IVault.sol";
import { IMiddlewareTypes } from "../../src/IMiddleware.sol";
import { Middleware } from "../../src/Middleware.sol";
import { Vm } from "../utils/Vm.sol";
import { MiddlewareFixture } from "../utils/MiddlewareFixture.sol";
import { Weth } from "../utils/Weth.sol";

/// @dev Stakers, slashes, vetoes and time in any order. What may fail is tried; what must not happen is noted.
contract SlashHandler {
    Vm private constant vm = Vm(address(uint160(uint256(keccak256("hevm cheat code")))));
    uint256 private constant ONE = 1_000_000_000;

    Middleware public immutable middleware;
    Weth public immutable weth;
    address public immutable router;
    address[] public operators;
    IVault[] public vaults;
    address[3] public stakers = [address(0x51), address(0x52), address(0x53)];
    uint48[] public captures;
    uint64 public ids;
    uint256 public deposited;
    uint256 public executions;
    uint256 public cancellations;
    string public fault;

    /// @dev What was taken by a slash before it was cancelled: nothing may come afterwards.
    mapping(uint64 id => uint256) public takenAtCancel;
    mapping(uint64 id => bool) public cancelled;

    constructor(Middleware middleware_, Weth weth_, address router_, address[] memory operators_, IVault[] memory all) {
        (middleware, weth, router, operators, vaults) = (middleware_, weth_, router_, operators_, all);
        capture();
    }

    function deposit(uint256 vault, uint256 who, uint256 amount) external {
        amount = amount % 1000 ether + 1;
        address holder = stakers[who % 3];
        vm.deal(holder, amount);
        vm.prank(holder);
        weth.deposit{ value: amount }();
        IVault target = vaults[vault % vaults.length];
        vm.prank(holder);
        weth.approve(address(target), amount);
        vm.prank(holder);
        // A vault that was slashed to nothing takes no more: its shares have no price.
        try target.deposit(holder, amount) { } catch { }
        deposited += amount;
    }

    function withdraw(uint256 vault, uint256 who, uint256 part) external {
        address holder = stakers[who % 3];
        IVault target = vaults[vault % vaults.length];
        uint256 held = target.activeBalanceOf(holder);
        if (held == 0) return;
        uint256 amount = part % held + 1;
        vm.prank(holder);
        try target.withdraw(holder, amount) { } catch { }
    }

    function claim(uint256 vault, uint256 who) external {
        address holder = stakers[who % 3];
        IVault target = vaults[vault % vaults.length];
        uint256 epoch = target.currentEpoch();
        if (epoch == 0) return;
        vm.prank(holder);
        try target.claim(holder, epoch - 1) { } catch { }
    }

    function capture() public {
        captures.push(uint48(vm.getBlockTimestamp()));
        vm.warp(vm.getBlockTimestamp() + 12);
    }

    function slash(uint256 operator, uint256 at, uint32 fraction) external {
        fraction = uint32(fraction % (ONE / 3) + 1);
        uint64 id = ids;
        vm.prank(router);
        // Of the last ones: others are over.
        uint256 back = at % captures.length % 5;
        uint48 time = captures[captures.length - 1 - back];
        try middleware.slash(id, operators[operator % operators.length], fraction, time) {
            ids = id + 1;
        } catch { }
    }

    function cancel(uint64 id) external {
        if (ids == 0) return;
        id = someRequested(id);
        vm.prank(router);
        try middleware.cancelSlash(id) {
            cancelled[id] = true;
            takenAtCancel[id] = taken(id);
            ++cancellations;
        } catch { }
    }

    /// @dev A few in the order of their ids, so that not each waits for an older one.
    function executeSome(uint64 id) external {
        for (uint64 i = 0; i < 6; ++i) {
            if (ids != 0) execute((someRequested(id) + i) % ids, false);
        }
    }

    function execute(uint64 id, bool wait) public {
        if (ids == 0) return;
        id = someRequested(id);
        (, uint48 time,,,, IMiddlewareTypes.VaultSlash[] memory before) = middleware.slashInfo(id);
        if (wait && before.length != 0 && before[0].vetoDeadline > vm.getBlockTimestamp()) {
            vm.warp(before[0].vetoDeadline);
        }
        try middleware.executeSlash(id) returns (uint256 count) {
            executions += count;
            uint256 now_ = vm.getBlockTimestamp();
            (,,,,, IMiddlewareTypes.VaultSlash[] memory done) = middleware.slashInfo(id);
            for (uint256 i = 0; i < done.length; ++i) {
                if (done[i].state != IMiddlewareTypes.VaultSlashState.Executed) continue;
                if (before[i].state == IMiddlewareTypes.VaultSlashState.Executed) continue;
                if (now_ < done[i].vetoDeadline) fault = "before the veto phase was over";
                if (now_ > uint256(time) + IVault(done[i].vault).epochDuration()) fault = "after the window";
                if (done[i].amount > before[i].amount) fault = "more than asked for";
            }
        } catch { }
    }

    function pass(uint256 time) external {
        vm.warp(vm.getBlockTimestamp() + time % 2 days + 1);
        vm.roll(vm.getBlockNumber() + 1);
    }

    function someRequested(uint64 id) private view returns (uint64) {
        id = id % ids;
        for (uint64 i = 0; i < ids; ++i) {
            (,,,, IMiddlewareTypes.SlashState state,) = middleware.slashInfo((id + i) % ids);
            if (state == IMiddlewareTypes.SlashState.Requested) return (id + i) % ids;
        }
        return id;
    }

    function taken(uint64 id) public view returns (uint256 sum) {
        (,,,,, IMiddlewareTypes.VaultSlash[] memory all) = middleware.slashInfo(id);
        for (uint256 i = 0; i < all.length; ++i) {
            if (all[i].state == IMiddlewareTypes.VaultSlashState.Executed) sum += all[i].amount;
        }
    }

    function vaultsCount() external view returns (uint256) {
        return vaults.length;
    }

    function capturesCount() external view returns (uint256) {
        return captures.length;
    }
}

/// @notice Under any history of deposits, withdrawals, slashes, vetoes and time.
contract SlashesInvariant is MiddlewareFixture {
    SlashHandler private handler;
    uint32 private constant MOST = 600_000_000;

    function setUp() public override {
        super.setUp();
        middleware.setFractions(MOST, 0, 0);
        address[] memory operators = new address[](2);
        (operators[0], operators[1]) = (alice, bob);
        IVault[] memory vaults = new IVault[](3);
        registerOperator(alice);
        registerOperator(bob);
        (vaults[0], vaults[1], vaults[2]) = (addVault(alice), addVault(alice), addVault(bob));
        handler = new SlashHandler(middleware, weth, address(router), operators, vaults);
        for (uint256 i = 0; i < 3; ++i) {
            handler.deposit(i, i, 500 ether);
        }
        handler.capture();
    }

    function targetContracts() public view returns (address[] memory targets) {
        targets = new address[](1);
        targets[0] = address(handler);
    }

    /// @dev So that the invariants are not true of histories in which nothing happens.
    function test_historiesReachEverything() public {
        vm.pauseGasMetering();
        uint256 seed = 7;
        for (uint256 i = 0; i < 400; ++i) {
            seed = uint256(keccak256(abi.encode(seed)));
            uint256 what = seed % 9;
            if (what == 0) handler.deposit(seed >> 8, seed >> 16, seed >> 24);
            if (what == 1) handler.withdraw(seed >> 8, seed >> 16, seed >> 24);
            if (what == 2) handler.claim(seed >> 8, seed >> 16);
            if (what == 3) handler.capture();
            if (what == 4) handler.slash(seed >> 8, seed >> 40, uint32(seed >> 24));
            if (what == 5 && seed >> 8 & 3 == 0) handler.cancel(uint64(seed >> 16));
            if (what == 6) handler.execute(uint64(seed >> 16), seed >> 80 & 1 == 0);
            if (what == 7) handler.pass(seed >> 8);
            if (what == 8) handler.executeSome(uint64(seed >> 16));
        }
        ensure(handler.executions() > 10 && handler.cancellations() > 2, "slashes are executed and cancelled");
        invariant_collateralIsConserved();
        invariant_whatIsBurntWasSlashedOnce();
        invariant_neverMoreThanTheMostOfACapture();
        invariant_inTime();
    }

    function invariant_collateralIsConserved() public view {
        uint256 sum = burnt();
        for (uint256 i = 0; i < handler.vaultsCount(); ++i) {
            sum += weth.balanceOf(address(handler.vaults(i)));
        }
        for (uint256 i = 0; i < 3; ++i) {
            sum += weth.balanceOf(handler.stakers(i));
        }
        same(sum, handler.deposited(), "conserved");
    }

    function invariant_whatIsBurntWasSlashedOnce() public view {
        uint256 sum = 0;
        for (uint64 id = 0; id < handler.ids(); ++id) {
            sum += handler.taken(id);
            ensure(!handler.cancelled(id) || handler.taken(id) == handler.takenAtCancel(id), "after a cancellation");
            IMiddlewareTypes.VaultSlash[] memory all = requestsOf(id);
            for (uint256 i = 1; i < all.length; ++i) {
                ensure(all[i].vault != all[i - 1].vault, "a vault twice for one slash");
            }
        }
        same(burnt(), sum, "what slashes took is what was burnt");
    }

    function invariant_neverMoreThanTheMostOfACapture() public view {
        for (uint256 c = 0; c < handler.capturesCount(); ++c) {
            uint48 time = handler.captures(c);
            most(alice, time);
            most(bob, time);
        }
    }

    function invariant_inTime() public view {
        ensure(bytes(handler.fault()).length == 0, handler.fault());
    }

    function most(address operator, uint48 time) private view {
        uint256 staked = 0;
        IMiddlewareTypes.VaultStake[] memory stakes = middleware.stakesOf(operator, time);
        for (uint256 i = 0; i < stakes.length; ++i) {
            staked += stakes[i].amount;
        }
        uint256 sum = 0;
        for (uint64 id = 0; id < handler.ids(); ++id) {
            (address who, uint48 capture,,,,) = middleware.slashInfo(id);
            if (who == operator && capture == time) sum += handler.taken(id);
        }
        ensure(sum <= staked * MOST / ONE, "more than the most");
        ensure(middleware.slashedFraction(operator, time) <= MOST, "more than the fraction");
    }
}
