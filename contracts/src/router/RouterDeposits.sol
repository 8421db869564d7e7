// SPDX-License-Identifier: GPL-3.0-or-later
pragma solidity ^0.8.30;

import { PausableUpgradeable } from "@openzeppelin/contracts-upgradeable/utils/PausableUpgradeable.sol";
import { IDeposits } from "../IDeposits.sol";
import { IMirror } from "../IMirror.sol";
import { IRouter } from "../IRouter.sol";
import { Gear } from "../libraries/Gear.sol";
import { RouterItems } from "./RouterItems.sol";
import { RouterStorage } from "./RouterStorage.sol";

/// @title Deposits: ETH for the value of native messages
/// @notice A part of the Router that runs by delegatecall, on the Router's storage and under its address. The Router
/// gives it what it has no function for. Towards programs the deposits are one more entry of the custody ledger; what
/// users take out of it leaves as the claims of a transition of `Gear.DEPOSITS`.
contract RouterDeposits is IDeposits, RouterStorage, PausableUpgradeable {
    /// @dev As in `Mirror`: gas for a payout, and what is needed around it.
    uint256 private constant PAYOUT_GAS = 50_000;
    uint256 private constant CALL_MARGIN = 30_000;

    address private immutable SELF = address(this);

    /// @dev ETH that came here directly would stay here.
    modifier onlyByDelegatecall() {
        if (address(this) == SELF) revert RouterItems.OnlyByDelegatecall();
        _;
    }

    /// @inheritdoc IDeposits
    function deposit() external payable {
        depositFor(msg.sender);
    }

    /// @inheritdoc IDeposits
    function depositFor(address account) public payable onlyByDelegatecall whenNotPaused {
        if (msg.value == 0) revert IRouter.ZeroValueTransfer();
        _layout().custody[Gear.DEPOSITS] += msg.value;
        emit Deposited(account, uint128(msg.value));
    }

    /// @inheritdoc IDeposits
    function requestWithdrawal(uint128 amount) external onlyByDelegatecall whenNotPaused returns (bytes32 id) {
        if (amount == 0) revert IRouter.ZeroValueTransfer();
        uint256 number = _layout().withdrawalsCount++;
        id = keccak256(abi.encodePacked(address(this), number));
        emit WithdrawalRequested(msg.sender, amount, id);
    }

    /// @inheritdoc IDeposits
    function withdrawPendingDeposit(address payable to) external onlyByDelegatecall {
        Layout storage state = _layout();
        uint256 value = state.pendingDeposits[msg.sender];
        if (value == 0) revert NothingPending();
        state.pendingDeposits[msg.sender] = 0;
        state.totalPendingDeposits -= value;
        (bool success,) = to.call{ value: value }("");
        if (!success) revert PendingDepositFailed(to);
        emit PendingDepositWithdrawn(msg.sender, to, value);
    }

    /// @notice Pays withdrawals; only the Router itself, in a batch, after it has taken their sum out of custody.
    /// @dev The name is the Mirrors', so that the Router settles deposits as it settles a program.
    function performStateTransition(Gear.StateTransition calldata transition, uint256) external {
        if (msg.sender != address(this)) revert IMirror.CallerNotRouter();
        Gear.ValueClaim[] calldata claims = transition.valueClaims;
        uint256 total = 0;
        for (uint256 i = 0; i < claims.length; ++i) {
            total += claims[i].value;
            _pay(claims[i]);
        }
        if (total != transition.valueToReceive) revert IRouter.ValueNotConserved();
    }

    /// @inheritdoc IDeposits
    function pendingDeposit(address owner) external view returns (uint256) {
        return _layout().pendingDeposits[owner];
    }

    /// @inheritdoc IDeposits
    function totalPendingDeposits() external view returns (uint256) {
        return _layout().totalPendingDeposits;
    }

    /// @dev Reverts unless the payee can get all of its gas: the submitter must not be able to make payouts fail. What
    /// the payee returns is not copied.
    function _pay(Gear.ValueClaim calldata claim) private {
        uint256 needed = (PAYOUT_GAS + CALL_MARGIN) * 64 / 63;
        if (gasleft() < needed) revert IMirror.InsufficientGasForCallbacks(needed);
        (address account, uint128 value) = (claim.destination, claim.value);
        bool success;
        assembly ("memory-safe") {
            success := call(PAYOUT_GAS, account, value, 0, 0, 0, 0)
        }
        if (success) {
            emit Withdrawn(account, value, claim.messageId);
            return;
        }
        Layout storage state = _layout();
        state.pendingDeposits[account] += value;
        state.totalPendingDeposits += value;
        emit WithdrawalPending(account, value, claim.messageId);
    }
}
