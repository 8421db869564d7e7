// SPDX-License-Identifier: GPL-3.0-or-later
pragma solidity ^0.8.30;

import { Mirror } from "../src/Mirror.sol";
import { Gear } from "../src/libraries/Gear.sol";
import { RouterFixture } from "./utils/RouterFixture.sol";

/// @notice Does random things with three programs, as validators and users would, and keeps its own books.
contract Handler is RouterFixture {
    Mirror[] public mirrors;
    /// What each program owns, by the books.
    mapping(address => uint256) public owned;
    uint256 public deposited;
    uint256 public paid;
    uint256 public batches;

    /// Deploys everything. Not in the constructor: the owner must be a contract with code by then.
    function start() external {
        setUp();
        validateCode();
        for (uint256 i = 0; i < 3; ++i) {
            mirrors.push(createProgram(bytes32(i)));
            initMessage(mirrors[i]);
        }
    }

    function theRouter() external view returns (address) {
        return address(router);
    }

    function custodySum() external view returns (uint256 sum) {
        for (uint256 i = 0; i < 3; ++i) {
            sum += router.custody(address(mirrors[i]));
        }
    }

    function tokens() external view returns (uint256 held, uint256 accounted) {
        return (vara.balanceOf(address(router)), router.totalExecutableDeposits() + router.totalCodeFees());
    }

    function deposit(uint256 which, uint96 value) external {
        Mirror mirror = mirrors[which % 3];
        vm.deal(user, value);
        vm.prank(user);
        mirror.sendMessage{ value: value }("", false);
        deposited += value;
    }

    function topUp(uint256 which, uint64 value) external {
        Mirror mirror = mirrors[which % 3];
        vara.mint(user, value);
        vm.prank(user);
        vara.approve(address(mirror), value);
        vm.prank(user);
        mirror.executableBalanceTopUp(value);
    }

    /// One batch: each program takes some custody in or gives some back, and pays some of what it owns; half of the
    /// payouts go to somebody who refuses.
    function settle(uint96[3] calldata amounts, uint96[3] calldata payouts, uint8 directions) external {
        Gear.Batch memory batch = emptyBatch();
        for (uint256 i = 0; i < 3; ++i) {
            address program = address(mirrors[i]);
            Gear.StateTransition memory transition = withTransition(batch, program);
            uint256 balance = owned[program];
            bool back = (directions >> i) & 1 == 1;
            uint256 limit = back ? balance : router.custody(program);
            uint256 amount = limit == 0 ? 0 : amounts[i] % (limit + 1);
            transition.valueToReceive = uint128(amount);
            transition.valueToReceiveNegativeSign = back;
            balance = back ? balance - amount : balance + amount;
            uint256 payout = balance == 0 ? 0 : payouts[i] % (balance + 1);
            // This contract does not take ETH.
            address to = (directions >> (i + 3)) & 1 == 1 ? address(this) : address(0xD00D);
            withMessage(transition, reply(to, bytes32(uint256(1)), "", uint128(payout), 0, false));
            owned[program] = balance - payout;
            if (to != address(this)) paid += payout;
        }
        commit(batch);
        ++batches;
    }

    /// One program gives everything that it owns to the next, through custody.
    function transfer(uint256 from, uint96 value) external {
        address giver = address(mirrors[from % 3]);
        address taker = address(mirrors[(from % 3 + 1) % 3]);
        uint256 amount = owned[giver] == 0 ? 0 : value % (owned[giver] + 1);
        Gear.Batch memory batch = emptyBatch();
        Gear.StateTransition memory gives = withTransition(batch, giver);
        gives.valueToReceive = uint128(amount);
        gives.valueToReceiveNegativeSign = true;
        gives.netTransfer = -int128(uint128(amount));
        Gear.StateTransition memory takes = withTransition(batch, taker);
        takes.netTransfer = int128(uint128(amount));
        owned[giver] -= amount;
        commit(batch);
        ++batches;
    }
}

/// @notice Whatever happens, ETH and wVARA are where the accounts say.
contract ConservationInvariant is RouterFixture {
    Handler internal handler;

    function setUp() public override {
        handler = new Handler();
        handler.start();
    }

    function targetContracts() public view returns (address[] memory list) {
        list = new address[](1);
        list[0] = address(handler);
    }

    struct FuzzSelector {
        address addr;
        bytes4[] selectors;
    }

    function targetSelectors() public view returns (FuzzSelector[] memory list) {
        list = new FuzzSelector[](1);
        list[0].addr = address(handler);
        list[0].selectors = new bytes4[](4);
        list[0].selectors[0] = Handler.deposit.selector;
        list[0].selectors[1] = Handler.topUp.selector;
        list[0].selectors[2] = Handler.settle.selector;
        list[0].selectors[3] = Handler.transfer.selector;
    }

    function invariant_custodyIsTheRoutersBalance() public view {
        ensure(handler.theRouter().balance == handler.custodySum(), "custody");
    }

    function invariant_mirrorsHoldWhatProgramsOwnAndWhatIsOwed() public view {
        for (uint256 i = 0; i < 3; ++i) {
            Mirror mirror = handler.mirrors(i);
            ensure(address(mirror).balance == handler.owned(address(mirror)) + mirror.totalPending(), "mirror");
        }
    }

    function invariant_nothingComesFromNowhere() public view {
        uint256 held = handler.theRouter().balance;
        for (uint256 i = 0; i < 3; ++i) {
            held += address(handler.mirrors(i)).balance;
        }
        ensure(held + handler.paid() == handler.deposited(), "sum");
    }

    function invariant_tokensAreAccountedFor() public view {
        (uint256 held, uint256 accounted) = handler.tokens();
        ensure(held == accounted, "wVARA");
    }
}

/// @notice Any set and any signers: the Router's verdict is the rule's.
contract QuorumFuzz is RouterFixture {
    function testFuzz_quorumIsTheRule(uint8 size, uint64[16] calldata shares, uint16 signers) public {
        uint256 validators = uint256(size) % 16 + 1;
        deploy(validators);
        uint64[] memory weights = new uint64[](validators);
        (uint256 heads, uint256 weight, uint256 total) = (0, 0, 0);
        for (uint256 i = 0; i < validators; ++i) {
            weights[i] = shares[i] / 2 + 1;
            total += weights[i];
            if ((signers >> i) & 1 == 1) {
                heads += 1;
                weight += weights[i];
            }
        }
        Gear.Batch memory batch = emptyBatch();
        withItem(batch, Gear.SET_UPDATE, abi.encode(uint64(2), router.validators(), weights));
        commit(batch);
        batch = emptyBatch();
        (bytes memory bitmap, bytes memory signatures) = signBy(batch, signers & ((1 << validators) - 1));
        (bool success,) = address(router).call(abi.encodeCall(router.commitBatch, (batch, bitmap, signatures)));
        ensure(success == (heads * 3 > validators * 2 && weight * 3 > total * 2), "verdict");
    }

    function testFuzz_anyChangeOfABatchBreaksItsSignatures(uint8 field, bytes32 noise) public {
        Gear.Batch memory batch = emptyBatch();
        (bytes memory bitmap, bytes memory signatures) = signBy(batch, type(uint256).max);
        bytes32 before = router.batchDigest(batch);
        field = field % 6;
        if (field == 0) batch.sealNumber ^= uint64(uint256(noise));
        else if (field == 1) batch.sealHash ^= noise;
        else if (field == 2) batch.lastRoundHash ^= noise;
        else if (field == 3) batch.expiry = uint64(block.timestamp) + (uint64(uint256(noise)) >> 8);
        else if (field == 4) batch.lastRound = 1 + (uint64(uint256(noise)) >> 8);
        else withItem(batch, uint8(noise[0]), abi.encode(noise));
        vm.assume(router.batchDigest(batch) != before);
        (bool success,) = address(router).call(abi.encodeCall(router.commitBatch, (batch, bitmap, signatures)));
        ensure(!success, "accepted");
    }
}
