// SPDX-License-Identifier: GPL-3.0-or-later
pragma solidity ^0.8.30;

import { OwnableUpgradeable } from "@openzeppelin/contracts-upgradeable/access/OwnableUpgradeable.sol";
import { ERC20Upgradeable } from "@openzeppelin/contracts-upgradeable/token/ERC20/ERC20Upgradeable.sol";
import {
    ERC20BurnableUpgradeable
} from "@openzeppelin/contracts-upgradeable/token/ERC20/extensions/ERC20BurnableUpgradeable.sol";
import {
    ERC20PermitUpgradeable
} from "@openzeppelin/contracts-upgradeable/token/ERC20/extensions/ERC20PermitUpgradeable.sol";
import { Initializable } from "@openzeppelin/contracts/proxy/utils/Initializable.sol";
import { UUPSUpgradeable } from "@openzeppelin/contracts/proxy/utils/UUPSUpgradeable.sol";

/// @title VARA on Ethereum: what programs pay their execution with
/// @notice 12 decimals, as on the chain. Approvals can be signed (ERC-2612).
contract WrappedVara is
    Initializable,
    ERC20Upgradeable,
    ERC20BurnableUpgradeable,
    ERC20PermitUpgradeable,
    OwnableUpgradeable,
    UUPSUpgradeable
{
    /// @notice Only this account makes tokens.
    error NotMinter(address minter);
    /// @notice Who makes tokens was settled already.
    error MinterAlreadySet(address minter);

    /// @notice From now on only the minter makes tokens.
    event MinterSet(address indexed minter);

    /// @custom:storage-location erc7201:gear.exe.wvara
    struct Layout {
        address minter;
    }

    // keccak256(abi.encode(uint256(keccak256("gear.exe.wvara")) - 1)) & ~bytes32(uint256(0xff))
    bytes32 private constant LOCATION = 0xbef4c35a6a29eb477d7a6c6518fa27ae32dbf46d8d5e0d8d4efd6214423a4100;

    string private constant NAME = "Wrapped Vara";
    string private constant SYMBOL = "WVARA";
    uint256 private constant INITIAL_SUPPLY = 1_000_000e12;

    /// @custom:oz-upgrades-unsafe-allow constructor
    constructor() {
        _disableInitializers();
    }

    /// @notice Sets the owner and gives it the initial supply.
    function initialize(address initialOwner) external initializer {
        __ERC20_init(NAME, SYMBOL);
        __ERC20Burnable_init();
        __ERC20Permit_init(NAME);
        __Ownable_init(initialOwner);
        _mint(initialOwner, INITIAL_SUPPLY);
    }

    /// @notice Makes new tokens; only the minter.
    function mint(address to, uint256 amount) external {
        address set = _layout().minter;
        if (set == address(0)) _checkOwner();
        else if (msg.sender != set) revert NotMinter(set);
        _mint(to, amount);
    }

    /// @notice Gives the making of tokens to the Router, for good: then each token that is made stands for VARA that is
    /// locked on the chain.
    function setMinter(address newMinter) external onlyOwner {
        Layout storage state = _layout();
        if (state.minter != address(0)) revert MinterAlreadySet(state.minter);
        state.minter = newMinter;
        emit MinterSet(newMinter);
    }

    /// @notice Who makes tokens: the Router; the owner until it is set.
    function minter() public view returns (address) {
        address set = _layout().minter;
        return set == address(0) ? owner() : set;
    }

    /// @inheritdoc ERC20Upgradeable
    function decimals() public pure override returns (uint8) {
        return 12;
    }

    function _authorizeUpgrade(address) internal override onlyOwner { }

    function _layout() private pure returns (Layout storage state) {
        bytes32 location = LOCATION;
        assembly {
            state.slot := location
        }
    }
}
