// SPDX-License-Identifier: GPL-3.0-or-later
pragma solidity ^0.8.30;

/// @title ETH that users have put by at the Router, for the value of their native messages
/// @notice The Router keeps all deposits together, as custody of `Gear.DEPOSITS`. What each user has of it validators
/// know: it depends on messages that Ethereum has not seen yet. They go by the events of this interface.
interface IDeposits {
    /// @notice Nobody owes the caller anything.
    error NothingPending();
    /// @notice The pending ETH could not be sent to `to`.
    error PendingDepositFailed(address to);

    /// @notice `account` has `value` wei more for its native messages.
    event Deposited(address indexed account, uint128 value);
    /// @notice `account` wants at most `amount` wei of its deposit back.
    event WithdrawalRequested(address indexed account, uint128 amount, bytes32 id);
    /// @notice A withdrawal was paid.
    event Withdrawn(address indexed account, uint128 value, bytes32 id);
    /// @notice A withdrawal could not be paid, and waits for `withdrawPendingDeposit`.
    event WithdrawalPending(address indexed account, uint128 value, bytes32 id);
    /// @notice `owner` took what was owed to it.
    event PendingDepositWithdrawn(address indexed owner, address to, uint256 value);

    /// @notice Deposits ETH for the caller.
    function deposit() external payable;
    /// @notice Deposits ETH for `account`.
    function depositFor(address account) external payable;
    /// @notice Asks for some of the caller's deposit, in wei. A batch pays it: `amount`, or less if messages that come
    /// before the request have left less. If they have left nothing, nothing is paid.
    /// @return id `keccak256(router ‖ number)`: that of the payout's event.
    function requestWithdrawal(uint128 amount) external returns (bytes32 id);
    /// @notice Takes what withdrawals that failed owe to the caller.
    function withdrawPendingDeposit(address payable to) external;
    /// @notice Wei that withdrawals that failed owe to `owner`.
    function pendingDeposit(address owner) external view returns (uint256);
    /// @notice The same of all owners.
    function totalPendingDeposits() external view returns (uint256);
}
