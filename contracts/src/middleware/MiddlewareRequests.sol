// SPDX-License-Identifier: GPL-3.0-or-later
pragma solidity ^0.8.30;

import { IBaseSlasher } from "@symbioticfi/core/src/interfaces/slasher/IBaseSlasher.sol";
import { IVetoSlasher } from "@symbioticfi/core/src/interfaces/slasher/IVetoSlasher.sol";
import { Math } from "@openzeppelin/contracts/utils/math/Math.sol";
import { Calls } from "../libraries/Calls.sol";
import { MiddlewareStakes } from "./MiddlewareStakes.sol";

/// @title A slash in one vault: asked, executed, vetoed
/// @notice What goes wrong in a vault is an answer here, never a revert: callers decide. Symbiotic forgets an offence
/// once a newer one of the same operator is executed. So within a vault older ones go first, and one that comes after a
/// newer one was executed is counted by the newer one's capture.
abstract contract MiddlewareRequests is MiddlewareStakes {
    /// @notice The most open slashes of a vault. Half of the places are not for reports.
    uint256 public constant MAX_PENDING = 32;

    /// @dev Gas that a vault's slasher may use.
    uint256 private constant READ_GAS = 50_000;
    uint256 private constant REQUEST_GAS = 350_000;
    uint256 private constant VETO_GAS = 120_000;
    uint256 private constant EXECUTE_GAS = 1_500_000;

    enum Outcome {
        Nothing,
        Late,
        Failed,
        Requested
    }

    /// @dev Asks one vault for its part of a slash.
    function _request(uint64 id, Slash storage entry, address vault)
        internal
        returns (Outcome outcome, bytes memory reason)
    {
        VaultEntry storage registered = _layout().vaultOf[vault];
        (bool success, uint256 amount) = _stakeAt(registered, entry.capture);
        if (!success) return (Outcome.Failed, _failure(vault, ""));
        amount = Math.mulDiv(amount, entry.applied, ONE);
        if (amount == 0) return (Outcome.Nothing, "");
        uint256 deadline = uint256(entry.capture) + registered.epochDuration - registered.vetoDuration;
        if (block.timestamp > deadline) {
            return (Outcome.Late, abi.encodeWithSelector(SlashTooLate.selector, entry.capture, deadline));
        }
        if (!_makePlace(registered, entry.byReport)) {
            return (Outcome.Failed, abi.encodeWithSelector(TooManyPending.selector, MAX_PENDING));
        }
        uint48 counted;
        (success, counted) = _countedBy(registered, entry);
        if (!success) return (Outcome.Failed, _failure(vault, ""));
        (success, reason) = _call(
            registered.slasher,
            REQUEST_GAS,
            abi.encodeCall(IVetoSlasher.requestSlash, (_subnetwork(), entry.operator, amount, counted, ""))
        );
        if (!success || reason.length < 32 || bytes16(reason) != 0) return (Outcome.Failed, _failure(vault, reason));
        uint48 vetoDeadline = uint48(block.timestamp) + registered.vetoDuration;
        entry.open += 1;
        entry.vaults
            .push(VaultSlash(vault, counted, vetoDeadline, VaultSlashState.Open, abi.decode(reason, (uint128)), amount));
        registered.pending.push(Pending(id, entry.capture, counted, entry.byReport));
        emit VaultSlashRequested(id, vault, amount, vetoDeadline);
        return (Outcome.Requested, "");
    }

    /// @dev Executes a slash in one vault, if its time has come. An empty reason is success.
    function _execute(uint64 id, Slash storage entry, VaultSlash storage request)
        internal
        returns (bytes memory reason)
    {
        VaultEntry storage vault = _layout().vaultOf[request.vault];
        uint256 deadline = uint256(entry.capture) + vault.epochDuration;
        if (block.timestamp > deadline) {
            request.state = VaultSlashState.Expired;
            entry.open -= 1;
            _forget(vault, id);
            return abi.encodeWithSelector(SlashExpired.selector, deadline);
        }
        if (block.timestamp < request.vetoDeadline) {
            return abi.encodeWithSelector(VetoNotOver.selector, request.vetoDeadline);
        }
        for (uint256 i = 0; i < vault.pending.length; ++i) {
            Pending memory other = vault.pending[i];
            if (other.counted < request.capture && block.timestamp <= uint256(other.capture) + vault.epochDuration) {
                return abi.encodeWithSelector(OlderSlashPending.selector, other.id);
            }
        }
        uint256 amount = 0;
        // When others took all, the slasher refuses; that must not hold up those that come after.
        if (!_isExhausted(vault, request)) {
            bool success;
            (success, reason) =
                _call(vault.slasher, EXECUTE_GAS, abi.encodeCall(IVetoSlasher.executeSlash, (request.index, "")));
            if (!success || reason.length < 32) return _failure(request.vault, reason);
            amount = abi.decode(reason, (uint256));
        }
        request.state = VaultSlashState.Executed;
        request.amount = amount;
        entry.open -= 1;
        entry.executed += 1;
        _forget(vault, id);
        emit VaultSlashed(id, request.vault, request.amount);
        return "";
    }

    /// @dev Takes a slash back in one vault. It cannot be executed after this, even if the vault does not hear of it.
    function _veto(uint64 id, VaultSlash storage request) internal {
        request.state = VaultSlashState.Vetoed;
        VaultEntry storage vault = _layout().vaultOf[request.vault];
        _forget(vault, id);
        (bool success, bytes memory answer) =
            _call(vault.slasher, VETO_GAS, abi.encodeCall(IVetoSlasher.vetoSlash, (request.index, "")));
        if (!success) emit VaultSlashFailed(id, request.vault, _failure(request.vault, answer));
    }

    function _revertWith(bytes memory reason) internal pure {
        assembly ("memory-safe") {
            revert(add(reason, 0x20), mload(reason))
        }
    }

    /// @dev By which capture a vault counts a slash that comes now.
    function _countedBy(VaultEntry storage vault, Slash storage entry)
        private
        view
        returns (bool success, uint48 capture)
    {
        uint256 needed = Calls.needed(READ_GAS);
        if (gasleft() < needed) revert NotEnoughGas(needed);
        uint256 newest;
        (success, newest) = Calls.read(
            vault.slasher,
            READ_GAS,
            abi.encodeCall(IBaseSlasher.latestSlashedCaptureTimestamp, (_subnetwork(), entry.operator))
        );
        capture = newest > entry.capture && newest < block.timestamp ? uint48(newest) : entry.capture;
    }

    function _isExhausted(VaultEntry storage vault, VaultSlash storage request) private view returns (bool) {
        uint256 needed = Calls.needed(STAKE_GAS);
        if (gasleft() < needed) revert NotEnoughGas(needed);
        (bool success, uint256 left) = Calls.read(
            vault.slasher,
            STAKE_GAS,
            abi.encodeCall(IBaseSlasher.slashableStake, (_subnetwork(), vault.operator, request.capture, ""))
        );
        return success && left == 0;
    }

    function _makePlace(VaultEntry storage vault, bool forReport) private returns (bool) {
        Pending[] storage pending = vault.pending;
        uint256 reports = 0;
        for (uint256 i = pending.length; i > 0; --i) {
            Pending memory entry = pending[i - 1];
            if (block.timestamp > uint256(entry.capture) + vault.epochDuration) _removeAt(pending, i - 1);
            else if (entry.byReport) ++reports;
        }
        return pending.length < MAX_PENDING && (!forReport || reports < MAX_PENDING / 2);
    }

    function _forget(VaultEntry storage vault, uint64 id) private {
        Pending[] storage pending = vault.pending;
        for (uint256 i = 0; i < pending.length; ++i) {
            if (pending[i].id != id) continue;
            _removeAt(pending, i);
            return;
        }
    }

    function _removeAt(Pending[] storage pending, uint256 index) private {
        pending[index] = pending[pending.length - 1];
        pending.pop();
    }

    /// @dev What it answers does not depend on the gas that the caller gave.
    function _call(address target, uint256 stipend, bytes memory data) private returns (bool, bytes memory) {
        uint256 needed = Calls.needed(stipend);
        if (gasleft() < needed) revert NotEnoughGas(needed);
        return Calls.attempt(target, stipend, data);
    }

    function _failure(address vault, bytes memory answer) private pure returns (bytes memory) {
        return abi.encodeWithSelector(VaultCallFailed.selector, vault, answer);
    }
}
