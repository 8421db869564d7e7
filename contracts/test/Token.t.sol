// SPDX-License-Identifier: GPL-3.0-or-later
pragma solidity ^0.8.30;

import { WrappedVara } from "../src/WrappedVara.sol";
import { RouterFixture } from "./utils/RouterFixture.sol";

/// @notice What wallets and the SDK need of wVARA.
contract TokenTest is RouterFixture {
    uint256 internal constant KEY = 0xA11CE;

    function test_token() public view {
        ensure(keccak256(bytes(vara.symbol())) == keccak256("WVARA") && vara.decimals() == 12, "symbol and decimals");
        ensure(vara.totalSupply() == vara.balanceOf(address(this)) + vara.balanceOf(user), "supply");
    }

    function test_permit() public {
        address holder = vm.addr(KEY);
        vara.mint(holder, 10);
        (uint8 v, bytes32 r, bytes32 s) = signPermit(KEY, user, 10, block.timestamp);
        vara.permit(holder, user, 10, block.timestamp, v, r, s);
        ensure(vara.allowance(holder, user) == 10 && vara.nonces(holder) == 1, "approved");
        vm.prank(user);
        vara.transferFrom(holder, user, 10);
        vm.expectPartialRevert(bytes4(keccak256("ERC2612InvalidSigner(address,address)")));
        vara.permit(holder, user, 10, block.timestamp, v, r, s);
        vm.expectPartialRevert(bytes4(keccak256("ERC2612ExpiredSignature(uint256)")));
        vara.permit(holder, user, 10, block.timestamp - 1, v, r, s);
    }

    function test_permitIsForThisTokenAndChain() public {
        (, string memory name, string memory version, uint256 chainId, address verifier,,) = vara.eip712Domain();
        ensure(
            keccak256(bytes(name)) == keccak256("Wrapped Vara") && keccak256(bytes(version)) == keccak256("1"), "name"
        );
        ensure(chainId == block.chainid && verifier == address(vara), "domain");
        address holder = vm.addr(KEY);
        (uint8 v, bytes32 r, bytes32 s) = signPermit(KEY, user, 10, block.timestamp);
        vm.chainId(5);
        vm.expectPartialRevert(bytes4(keccak256("ERC2612InvalidSigner(address,address)")));
        vara.permit(holder, user, 10, block.timestamp, v, r, s);
    }

    function test_burnAndMint() public {
        vm.prank(user);
        vara.burn(1);
        ensure(vara.balanceOf(user) == 1_000_000e12 - 1, "burnt");
        vm.prank(user);
        vm.expectPartialRevert(bytes4(keccak256("OwnableUnauthorizedAccount(address)")));
        vara.mint(user, 1);
        ensure(vara.minter() == address(this), "the owner, until the Router is set");
        address next = address(new WrappedVara());
        vm.prank(user);
        vm.expectPartialRevert(bytes4(keccak256("OwnableUnauthorizedAccount(address)")));
        vara.upgradeToAndCall(next, "");
    }
}
