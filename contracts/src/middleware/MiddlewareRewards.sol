// SPDX-License-Identifier: GPL-3.0-or-later
pragma solidity ^0.8.30;

import { IVaultStorage } from "@symbioticfi/core/src/interfaces/vault/IVaultStorage.sol";
import { IERC20 } from "@openzeppelin/contracts/token/ERC20/IERC20.sol";
import { SafeERC20 } from "@openzeppelin/contracts/token/ERC20/utils/SafeERC20.sol";
import { Math } from "@openzeppelin/contracts/utils/math/Math.sol";
import { MerkleTree } from "../libraries/MerkleTree.sol";
import { MiddlewareVaults } from "./MiddlewareVaults.sol";

/// @title Rewards: wVARA for operators and for the stakers of vaults
/// @notice Operators claim by a Merkle proof; a vault's stakers share what it got by the shares that they held at the
/// capture. No vault and no staker is called when rewards come, so none can stop them. Nothing is paid twice, and to an
/// era and to a vault never more than was given: what rounding leaves stays here.
abstract contract MiddlewareRewards is MiddlewareVaults {
    using SafeERC20 for IERC20;

    /// @notice The most vaults of one item. More vaults are paid by more items.
    uint256 public constant MAX_REWARDED_VAULTS = 64;

    /// @notice Divides wVARA that the Router has transferred; only the Router.
    /// @param operatorsRoot Over `operatorRewardLeaf`s, as `MerkleTree` has it. An era has one; further items for it have
    /// no `operatorsTotal`.
    function distributeRewards(
        uint32 era,
        uint48 capture,
        bytes32 operatorsRoot,
        uint128 operatorsTotal,
        address[] calldata vaults,
        uint128[] calldata amounts
    ) external onlyRouter nonReentrant {
        Layout storage state = _layout();
        if (vaults.length != amounts.length || vaults.length > MAX_REWARDED_VAULTS) revert InvalidLists();
        if (capture == 0 || capture >= block.timestamp) revert FutureTimestamp(capture);
        Era storage entry = state.eras[era];
        if (entry.capture != 0 && entry.capture != capture) revert EraKnown(era);
        entry.capture = capture;
        if (operatorsTotal != 0) {
            if (entry.operatorsTotal != 0) revert EraKnown(era);
            entry.operatorsRoot = operatorsRoot;
            entry.operatorsTotal = operatorsTotal;
        }
        uint256 total = operatorsTotal;
        for (uint256 i = 0; i < vaults.length; ++i) {
            if (state.vaultOf[vaults[i]].operator == address(0)) revert UnknownVault(vaults[i]);
            state.vaultRewards[era][vaults[i]].amount += amounts[i];
            total += amounts[i];
        }
        state.owed += total;
        uint256 held = IERC20(state.wrappedVara).balanceOf(address(this));
        if (held < state.owed) revert RewardsNotFunded(state.owed, held);
        emit RewardsDistributed(era, capture, operatorsRoot, total);
    }

    /// @notice Pays an operator what it earned in an era; anyone may call.
    /// @param index The operator's place among `count` leaves; its leaf is of era, operator and amount.
    function claimOperatorReward(
        uint32 era,
        address operator,
        uint128 amount,
        uint64 index,
        uint64 count,
        bytes32[] calldata proof
    ) external nonReentrant {
        Layout storage state = _layout();
        Era storage entry = state.eras[era];
        if (state.operatorClaimed[era][operator]) revert NothingToClaim();
        bytes32 leaf = operatorRewardLeaf(era, operator, amount);
        if (entry.operatorsTotal == 0 || !MerkleTree.verify(entry.operatorsRoot, count, index, leaf, proof)) {
            revert InvalidProof();
        }
        // A root that promises more than came pays what came.
        if (amount > entry.operatorsTotal - entry.operatorsClaimed) revert NothingToClaim();
        state.operatorClaimed[era][operator] = true;
        entry.operatorsClaimed += amount;
        emit OperatorRewardClaimed(era, operator, amount);
        _pay(operator, amount);
    }

    /// @notice Pays the caller its share of what a vault earned in an era.
    function claimStakerReward(uint32 era, address vault, address recipient)
        external
        nonReentrant
        returns (uint256 amount)
    {
        Layout storage state = _layout();
        VaultReward storage reward = state.vaultRewards[era][vault];
        amount = _stakerReward(era, vault, msg.sender);
        if (amount == 0 || state.stakerClaimed[era][vault][msg.sender]) revert NothingToClaim();
        // A vault that lies about shares pays its own stakers only.
        if (amount > reward.amount - reward.claimed) revert NothingToClaim();
        state.stakerClaimed[era][vault][msg.sender] = true;
        reward.claimed += uint128(amount);
        emit StakerRewardClaimed(era, vault, msg.sender, amount);
        _pay(recipient, amount);
    }

    /// @notice What a staker may claim.
    function stakerReward(uint32 era, address vault, address staker) external view returns (uint256) {
        return _layout().stakerClaimed[era][vault][staker] ? 0 : _stakerReward(era, vault, staker);
    }

    /// @notice What was given to the operators of an era, and what they claimed.
    function eraRewards(uint32 era)
        external
        view
        returns (bytes32 operatorsRoot, uint128 operatorsTotal, uint128 operatorsClaimed, uint48 capture)
    {
        Era storage entry = _layout().eras[era];
        return (entry.operatorsRoot, entry.operatorsTotal, entry.operatorsClaimed, entry.capture);
    }

    /// @notice What was given to a vault's stakers in an era, and what they claimed.
    function vaultRewards(uint32 era, address vault) external view returns (uint128 amount, uint128 claimed) {
        VaultReward storage reward = _layout().vaultRewards[era][vault];
        return (reward.amount, reward.claimed);
    }

    /// @notice wVARA that was given and not claimed.
    function owedRewards() external view returns (uint256) {
        return _layout().owed;
    }

    /// @notice The leaf of an operator in the tree of an era.
    function operatorRewardLeaf(uint32 era, address operator, uint128 amount) public pure returns (bytes32) {
        return keccak256(abi.encodePacked(uint8(0), era, operator, amount));
    }

    function _stakerReward(uint32 era, address vault, address staker) private view returns (uint256) {
        VaultReward storage reward = _layout().vaultRewards[era][vault];
        if (reward.amount == 0) return 0;
        uint48 capture = _layout().eras[era].capture;
        uint256 all = IVaultStorage(vault).activeSharesAt(capture, "");
        uint256 own = IVaultStorage(vault).activeSharesOfAt(staker, capture, "");
        if (own == 0 || own > all) return 0;
        return Math.mulDiv(reward.amount, own, all);
    }

    function _pay(address to, uint256 amount) private {
        _layout().owed -= amount;
        IERC20(_layout().wrappedVara).safeTransfer(to, amount);
    }
}
