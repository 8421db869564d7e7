// SPDX-License-Identifier: GPL-3.0-or-later
pragma solidity ^0.8.30;

import { IMirror } from "../IMirror.sol";
import { IWrappedVara } from "../IWrappedVara.sol";
import { MirrorProxy } from "../MirrorProxy.sol";
import { MirrorProxySmall } from "../MirrorProxySmall.sol";
import { Gear } from "../libraries/Gear.sol";
import { RouterCodes } from "./RouterCodes.sol";

/// @title Creation of programs
/// @notice A program is its Mirror's address, made by CREATE2 from code, salt *and* the caller, so that nobody can take
/// somebody else's address.
abstract contract RouterPrograms is RouterCodes {
    /// @notice Creates a program that is called by messages.
    /// @param overrideInitializer Who sends the first message; the caller if zero.
    function createProgram(bytes32 codeId, bytes32 salt, address overrideInitializer) external returns (address) {
        return _create(codeId, salt, overrideInitializer, address(0), true);
    }

    /// @notice Creates a program that can also be called by the methods of `abiInterface`.
    function createProgramWithAbiInterface(
        bytes32 codeId,
        bytes32 salt,
        address overrideInitializer,
        address abiInterface
    ) external returns (address) {
        return _create(codeId, salt, overrideInitializer, abiInterface, false);
    }

    /// @notice Creates a program and gives it wVARA by a signed approval for this Router.
    function createProgramWithExecutableBalance(
        bytes32 codeId,
        bytes32 salt,
        address overrideInitializer,
        uint128 initialExecutableBalance,
        uint256 deadline,
        uint8 v,
        bytes32 r,
        bytes32 s
    ) external returns (address program) {
        program = _create(codeId, salt, overrideInitializer, address(0), true);
        _endow(program, initialExecutableBalance, deadline, v, r, s);
    }

    /// @notice Both.
    function createProgramWithAbiInterfaceAndExecutableBalance(
        bytes32 codeId,
        bytes32 salt,
        address overrideInitializer,
        address abiInterface,
        uint128 initialExecutableBalance,
        uint256 deadline,
        uint8 v,
        bytes32 r,
        bytes32 s
    ) external returns (address program) {
        program = _create(codeId, salt, overrideInitializer, abiInterface, false);
        _endow(program, initialExecutableBalance, deadline, v, r, s);
    }

    /// @notice The address that `creator` would get.
    function predictProgramAddress(address creator, bytes32 codeId, bytes32 salt, bool withAbiInterface)
        external
        view
        returns (address)
    {
        bytes32 codeHash =
            keccak256(withAbiInterface ? type(MirrorProxy).creationCode : type(MirrorProxySmall).creationCode);
        return address(
            uint160(
                uint256(
                    keccak256(abi.encodePacked(bytes1(0xff), address(this), _salt(creator, codeId, salt), codeHash))
                )
            )
        );
    }

    /// @notice Code of a program; zero if it is none of this Router's.
    function programCodeId(address programId) external view returns (bytes32) {
        return _layout().programs[programId];
    }

    /// @notice Codes of several programs.
    function programsCodeIds(address[] calldata programsIds) external view returns (bytes32[] memory ids) {
        ids = new bytes32[](programsIds.length);
        for (uint256 i = 0; i < ids.length; ++i) {
            ids[i] = _layout().programs[programsIds[i]];
        }
    }

    /// @notice Programs created so far.
    function programsCount() external view returns (uint256) {
        return _layout().programsCount;
    }

    /// @notice Wei in transit that belong to a program.
    function custody(address program) external view returns (uint256) {
        return _layout().custody[program];
    }

    /// @notice wVARA that programs were given, in base units.
    function totalExecutableDeposits() external view returns (uint256) {
        return _layout().totalExecutableDeposits;
    }

    /// @notice wVARA that code validation cost, in base units.
    function totalCodeFees() external view returns (uint256) {
        return _layout().totalCodeFees;
    }

    /// @notice wVARA that programs have paid for execution and settlement, in base units.
    function totalSpent() external view returns (uint256) {
        return _layout().lastBatch.spent;
    }

    /// @notice wVARA that went to the Middleware as rewards, in base units: never more than what programs paid and code
    /// validation cost.
    function totalRewards() external view returns (uint256) {
        return _layout().totalRewards;
    }

    /// @notice Burns wVARA of the caller; once that is final, the chain unlocks as much VARA for `account`. It takes the
    /// amount by an approval, given before or signed (ERC-2612).
    /// @param account The account on the chain, 32 bytes.
    function burnToVara(uint128 amount, bytes32 account, uint256 deadline, uint8 v, bytes32 r, bytes32 s)
        external
        whenNotPaused
        returns (uint64 number)
    {
        if (amount == 0) revert ZeroValueTransfer();
        _tryPermit(msg.sender, amount, deadline, v, r, s);
        _takeFee(msg.sender, address(this), amount);
        Layout storage state = _layout();
        IWrappedVara(state.wrappedVara).burn(amount);
        number = state.burnsCount++;
        state.burns[number] = Burn(account, amount);
        emit BurnedToVara(number, msg.sender, amount, account);
    }

    /// @notice Burns so far: the number of the next one.
    function burnsCount() external view returns (uint64) {
        return _layout().burnsCount;
    }

    /// @notice Burns with the numbers [from, to), as far as there are: what validators read to unlock VARA.
    function burns(uint64 from, uint64 to) external view returns (Burn[] memory list) {
        Layout storage state = _layout();
        if (to > state.burnsCount) to = state.burnsCount;
        if (from >= to) return list;
        list = new Burn[](to - from);
        for (uint64 i = from; i < to; ++i) {
            list[i - from] = state.burns[i];
        }
    }

    /// @notice Takes ETH into custody; only from Mirrors.
    receive() external payable {
        if (_layout().programs[msg.sender] == bytes32(0)) revert UnknownProgram();
        _layout().custody[msg.sender] += msg.value;
    }

    function creditExecutable(uint128 value) external {
        if (_layout().programs[msg.sender] == bytes32(0)) revert UnknownProgram();
        _layout().totalExecutableDeposits += value;
    }

    /// @dev Makes the Mirrors of programs that programs created. Whether the code is valid the validators know: the
    /// executor ran it already.
    function _createByPrograms(Gear.ProgramCreation[] calldata creations) internal {
        for (uint256 i = 0; i < creations.length; ++i) {
            Gear.ProgramCreation calldata creation = creations[i];
            address program = _deploy(creation.creator, creation.codeId, creation.salt, true);
            IMirror(program).initializeByProgram(creation.creator);
            emit ProgramCreated(program, creation.codeId);
        }
    }

    function _create(bytes32 codeId, bytes32 salt, address overrideInitializer, address abiInterface, bool isSmall)
        private
        whenNotPaused
        returns (address program)
    {
        if (_layout().codes[codeId].state != Gear.CodeState.Validated) revert CodeNotValidated();
        program = _deploy(msg.sender, codeId, salt, isSmall);
        address initializer = overrideInitializer == address(0) ? msg.sender : overrideInitializer;
        IMirror(program).initialize(initializer, abiInterface, isSmall);
        emit ProgramCreated(program, codeId);
    }

    function _deploy(address creator, bytes32 codeId, bytes32 salt, bool isSmall) private returns (address program) {
        bytes32 own = _salt(creator, codeId, salt);
        program = isSmall ? address(new MirrorProxySmall{ salt: own }()) : address(new MirrorProxy{ salt: own }());
        Layout storage state = _layout();
        state.programs[program] = codeId;
        state.programsCount += 1;
    }

    function _endow(address program, uint128 value, uint256 deadline, uint8 v, bytes32 r, bytes32 s) private {
        if (value == 0) return;
        _tryPermit(msg.sender, value, deadline, v, r, s);
        _takeFee(msg.sender, address(this), value);
        _layout().totalExecutableDeposits += value;
        IMirror(program).noteExecutableBalance(value);
    }

    function _salt(address creator, bytes32 codeId, bytes32 salt) private pure returns (bytes32) {
        return keccak256(abi.encodePacked(codeId, salt, creator));
    }
}
