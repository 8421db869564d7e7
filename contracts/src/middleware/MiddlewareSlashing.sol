// SPDX-License-Identifier: GPL-3.0-or-later
pragma solidity ^0.8.30;

import { Checkpoints } from "@openzeppelin/contracts/utils/structs/Checkpoints.sol";
import { Math } from "@openzeppelin/contracts/utils/math/Math.sol";
import { IMiddleware } from "../IMiddleware.sol";
import { MiddlewareRequests } from "./MiddlewareRequests.sol";

/// @title Slashing: a fraction of what vaults held at a capture, after a time for a veto
/// @notice A slash is asked of each vault, and executed in each, on its own: one that fails does not hold up others.
abstract contract MiddlewareSlashing is MiddlewareRequests {
    using Checkpoints for Checkpoints.Trace208;

    /// @notice Slashes with ids from here on come from reports, not from the chain.
    uint64 public constant REPORTS_FROM = 1 << 63;

    /// @inheritdoc IMiddleware
    function slash(uint64 id, address operator, uint32 fraction, uint48 capture) external onlyRouter nonReentrant {
        if (id >= REPORTS_FROM) revert InvalidSlashId(id);
        _slash(id, operator, fraction, capture, false);
    }

    /// @inheritdoc IMiddleware
    function cancelSlash(uint64 id) external onlyRouter nonReentrant {
        Slash storage entry = _requested(id);
        entry.state = SlashState.Cancelled;
        if (entry.executed == 0) {
            Tally storage tally = _layout().tallies[entry.operator][entry.capture];
            if (entry.byReport) tally.reports -= entry.fraction;
            else tally.items -= entry.fraction;
            tally.applied -= entry.applied;
        }
        for (uint256 i = 0; i < entry.vaults.length; ++i) {
            if (entry.vaults[i].state == VaultSlashState.Open) _veto(id, entry.vaults[i]);
        }
        entry.open = 0;
        emit SlashCancelled(id);
    }

    /// @notice Asks a vault again that could not be asked when the slash came; anyone, while there is time.
    function retrySlash(uint64 id, address vault) external nonReentrant {
        Slash storage entry = _requested(id);
        VaultEntry storage registered = _layout().vaultOf[vault];
        Operator storage operator = _layout().operatorOf[entry.operator];
        if (
            registered.operator != entry.operator || !_countedAt(registered, entry.capture)
                || operator.enabled.upperLookupRecent(entry.capture) != 1
        ) revert VaultNotCounted(vault, entry.capture);
        for (uint256 i = 0; i < entry.vaults.length; ++i) {
            if (entry.vaults[i].vault == vault) revert AlreadyRequested(id, vault);
        }
        (Outcome outcome, bytes memory reason) = _request(id, entry, vault);
        if (outcome == Outcome.Nothing) revert NothingToSlash(entry.operator, entry.capture);
        if (outcome != Outcome.Requested) _revertWith(reason);
    }

    /// @notice Executes a slash in every vault in which its time has come; anyone.
    /// @return executed In how many. If in none, it reverts with the first reason.
    function executeSlash(uint64 id) external nonReentrant returns (uint256 executed) {
        Slash storage entry = _requested(id);
        bytes memory first;
        for (uint256 i = 0; i < entry.vaults.length; ++i) {
            if (entry.vaults[i].state != VaultSlashState.Open) continue;
            bytes memory reason = _execute(id, entry, entry.vaults[i]);
            if (reason.length == 0) {
                ++executed;
                continue;
            }
            emit VaultSlashFailed(id, entry.vaults[i].vault, reason);
            if (first.length == 0) first = reason;
        }
        if (executed == 0) {
            if (first.length != 0) _revertWith(first);
            revert NothingToSlash(entry.operator, entry.capture);
        }
        if (entry.open == 0) {
            entry.state = SlashState.Executed;
            emit SlashExecuted(id);
        }
    }

    /// @notice What is known of a slash. What was taken is in `vaults`, once they are executed.
    function slashInfo(uint64 id)
        external
        view
        returns (
            address operator,
            uint48 capture,
            uint32 fraction,
            uint32 applied,
            SlashState state,
            VaultSlash[] memory vaults
        )
    {
        Slash storage entry = _layout().slashes[id];
        return (entry.operator, entry.capture, entry.fraction, entry.applied, entry.state, entry.vaults);
    }

    /// @notice What was slashed of an operator for a capture and not cancelled, in parts per billion.
    function slashedFraction(address operator, uint48 capture) external view returns (uint256) {
        return _layout().tallies[operator][capture].applied;
    }

    /// @dev A report is an advance on what the chain decides of the same capture: the greater of both is taken.
    function _slash(uint64 id, address operator, uint32 fraction, uint48 capture, bool byReport) internal {
        Layout storage state = _layout();
        Slash storage entry = state.slashes[id];
        if (entry.state != SlashState.None) revert SlashKnown(id);
        if (fraction == 0 || fraction > ONE) revert InvalidFraction(fraction);
        if (capture >= block.timestamp) revert FutureTimestamp(capture);
        if (!_isKnown(state.operatorOf[operator])) revert UnknownOperator(operator);
        Tally storage tally = state.tallies[operator][capture];
        if (byReport) tally.reports += fraction;
        else tally.items += fraction;
        uint256 wanted = Math.min(Math.max(tally.items, tally.reports), state.maxFraction);
        uint32 applied = uint32(Math.saturatingSub(wanted, tally.applied));
        tally.applied += applied;
        entry.operator = operator;
        entry.capture = capture;
        entry.byReport = byReport;
        entry.fraction = fraction;
        entry.applied = applied;
        entry.state = applied == 0 ? SlashState.Covered : SlashState.Requested;
        emit SlashRequested(id, operator, fraction, applied, capture);
        if (applied != 0) return _requestAll(id, entry);
        // A report may come again when what covers it was cancelled.
        if (byReport) revert NothingToSlash(operator, capture);
    }

    function _requestAll(uint64 id, Slash storage entry) private {
        Operator storage operator = _layout().operatorOf[entry.operator];
        bool failed = false;
        bytes memory late;
        if (operator.enabled.upperLookupRecent(entry.capture) == 1) {
            for (uint256 i = 0; i < operator.vaults.length; ++i) {
                address vault = operator.vaults[i];
                if (!_countedAt(_layout().vaultOf[vault], entry.capture)) continue;
                (Outcome outcome, bytes memory reason) = _request(id, entry, vault);
                if (outcome == Outcome.Nothing || outcome == Outcome.Requested) continue;
                if (outcome == Outcome.Late) late = reason;
                else failed = true;
                emit VaultSlashFailed(id, vault, reason);
            }
        }
        if (entry.open != 0 || failed) return;
        if (late.length != 0) _revertWith(late);
        revert NothingToSlash(entry.operator, entry.capture);
    }

    function _requested(uint64 id) private view returns (Slash storage entry) {
        entry = _layout().slashes[id];
        if (entry.state == SlashState.None) revert UnknownSlash(id);
        if (entry.state != SlashState.Requested) revert SlashClosed(id);
    }
}
