// SPDX-License-Identifier: GPL-3.0-or-later
pragma solidity ^0.8.30;

/// @title A Mirror as small as it can be: everything is delegated to the code that the Router names
/// @notice The Router deploys it with CREATE2; `msg.sender` is the Router, so that the creation code is a constant.
contract MirrorProxySmall {
    address internal immutable ROUTER = msg.sender;

    /// @notice Delegates the call, ETH included.
    fallback() external payable {
        delegate();
    }

    /// @notice Delegates a bare transfer.
    receive() external payable {
        delegate();
    }

    function delegate() internal {
        address router = ROUTER;
        assembly {
            // mirrorImpl()
            mstore(0, 0xe6fabc09)
            if iszero(staticcall(gas(), router, 28, 4, 0, 32)) { revert(0, 0) }
            let implementation := mload(0)
            calldatacopy(0, 0, calldatasize())
            let success := delegatecall(gas(), implementation, 0, calldatasize(), 0, 0)
            returndatacopy(0, 0, returndatasize())
            if iszero(success) { revert(0, returndatasize()) }
            return(0, returndatasize())
        }
    }
}
