// SPDX-License-Identifier: GPL-3.0-or-later
pragma solidity ^0.8.30;

import { IVaultConfigurator } from "@symbioticfi/core/src/interfaces/IVaultConfigurator.sol";
import { IFactory } from "@symbioticfi/core/src/interfaces/common/IFactory.sol";
import { IMigratablesFactory } from "@symbioticfi/core/src/interfaces/common/IMigratablesFactory.sol";
import { IBaseDelegator } from "@symbioticfi/core/src/interfaces/delegator/IBaseDelegator.sol";
import { INetworkRestakeDelegator } from "@symbioticfi/core/src/interfaces/delegator/INetworkRestakeDelegator.sol";
import {
    IOperatorNetworkSpecificDelegator
} from "@symbioticfi/core/src/interfaces/delegator/IOperatorNetworkSpecificDelegator.sol";
import { IOperatorSpecificDelegator } from "@symbioticfi/core/src/interfaces/delegator/IOperatorSpecificDelegator.sol";
import { IBaseSlasher } from "@symbioticfi/core/src/interfaces/slasher/IBaseSlasher.sol";
import { ISlasher } from "@symbioticfi/core/src/interfaces/slasher/ISlasher.sol";
import { IVetoSlasher } from "@symbioticfi/core/src/interfaces/slasher/IVetoSlasher.sol";
import { IVault } from "@symbioticfi/core/src/interfaces/vault/IVault.sol";
import { Vm } from "./Vm.sol";

/// @title Symbiotic's own contracts, deployed as they are
/// @notice `npm test` compiles them with their compiler into `out-symbiotic`.
contract Symbiotic {
    Vm private constant vm = Vm(address(uint160(uint256(keccak256("hevm cheat code")))));

    uint64 internal constant NETWORK_RESTAKE = 0;
    uint64 internal constant OPERATOR_SPECIFIC = 2;
    uint64 internal constant OPERATOR_NETWORK_SPECIFIC = 3;

    /// @notice What a vault is made of.
    struct VaultParams {
        address collateral;
        address burner;
        uint48 epochDuration;
        uint48 vetoDuration;
        uint64 delegator;
        uint64 slasher;
        bool withSlasher;
        address network;
        address operator;
    }

    address public vaultFactory;
    address public delegatorFactory;
    address public slasherFactory;
    address public networkRegistry;
    address public operatorRegistry;
    address public networkMiddlewareService;
    address public operatorVaultOptIn;
    address public operatorNetworkOptIn;
    address public vaultConfigurator;

    constructor() {
        vaultFactory = deploy("VaultFactory", abi.encode(this));
        delegatorFactory = deploy("DelegatorFactory", abi.encode(this));
        slasherFactory = deploy("SlasherFactory", abi.encode(this));
        networkRegistry = deploy("NetworkRegistry", "");
        operatorRegistry = deploy("OperatorRegistry", "");
        networkMiddlewareService = deploy("NetworkMiddlewareService", abi.encode(networkRegistry));
        operatorVaultOptIn =
            deploy("OptInService", abi.encode(operatorRegistry, vaultFactory, "OperatorVaultOptInService"));
        operatorNetworkOptIn =
            deploy("OptInService", abi.encode(operatorRegistry, networkRegistry, "OperatorNetworkOptInService"));
        IMigratablesFactory(vaultFactory)
            .whitelist(deploy("Vault", abi.encode(delegatorFactory, slasherFactory, vaultFactory)));
        delegators();
        bytes memory common = abi.encode(vaultFactory, networkMiddlewareService);
        slasher("Slasher", common);
        slasher("VetoSlasher", bytes.concat(common, abi.encode(networkRegistry)));
        vaultConfigurator = deploy("VaultConfigurator", abi.encode(vaultFactory, delegatorFactory, slasherFactory));
    }

    /// @notice Makes a vault with its delegator and slasher; the caller is its administrator.
    function makeVault(VaultParams memory params) external returns (address vault) {
        IVault.InitParams memory init;
        init.collateral = params.collateral;
        init.burner = params.burner;
        init.epochDuration = params.epochDuration;
        init.defaultAdminRoleHolder = msg.sender;
        (vault,,) = IVaultConfigurator(vaultConfigurator)
            .create(
                IVaultConfigurator.InitParams({
                version: 1,
                owner: msg.sender,
                vaultParams: abi.encode(init),
                delegatorIndex: params.delegator,
                delegatorParams: delegatorParams(params),
                withSlasher: params.withSlasher,
                slasherIndex: params.slasher,
                slasherParams: params.slasher == 0
                    ? abi.encode(ISlasher.InitParams(IBaseSlasher.BaseParams(false)))
                    : abi.encode(IVetoSlasher.InitParams(IBaseSlasher.BaseParams(false), params.vetoDuration, 3))
            })
            );
    }

    /// @notice Lets the factory make vaults of another code, as Symbiotic's owner may; these do not need a delegator of
    /// Symbiotic's.
    function whitelistVault(address implementation) external {
        IMigratablesFactory(vaultFactory).whitelist(implementation);
    }

    function delegatorParams(VaultParams memory params) private view returns (bytes memory) {
        IBaseDelegator.BaseParams memory base = IBaseDelegator.BaseParams(msg.sender, address(0), msg.sender);
        if (params.delegator == OPERATOR_NETWORK_SPECIFIC) {
            return abi.encode(IOperatorNetworkSpecificDelegator.InitParams(base, params.network, params.operator));
        }
        address[] memory holders = new address[](1);
        holders[0] = msg.sender;
        if (params.delegator == OPERATOR_SPECIFIC) {
            return abi.encode(IOperatorSpecificDelegator.InitParams(base, holders, params.operator));
        }
        return abi.encode(INetworkRestakeDelegator.InitParams(base, holders, holders));
    }

    function delegators() private {
        bytes memory network =
            abi.encode(networkRegistry, vaultFactory, operatorVaultOptIn, operatorNetworkOptIn, delegatorFactory);
        bytes memory operator = bytes.concat(abi.encode(operatorRegistry), network);
        delegator("NetworkRestakeDelegator", network);
        delegator("FullRestakeDelegator", network);
        delegator("OperatorSpecificDelegator", operator);
        delegator("OperatorNetworkSpecificDelegator", operator);
    }

    function delegator(string memory name, bytes memory arguments) private {
        uint64 kind = IFactory(delegatorFactory).totalTypes();
        IFactory(delegatorFactory).whitelist(deploy(name, bytes.concat(arguments, abi.encode(kind))));
    }

    function slasher(string memory name, bytes memory arguments) private {
        uint64 kind = IFactory(slasherFactory).totalTypes();
        IFactory(slasherFactory).whitelist(deploy(name, bytes.concat(arguments, abi.encode(slasherFactory, kind))));
    }

    function deploy(string memory name, bytes memory arguments) private returns (address made) {
        bytes memory code =
            bytes.concat(vm.getCode(string.concat("out-symbiotic/", name, ".sol/", name, ".json")), arguments);
        assembly ("memory-safe") {
            made := create(0, add(code, 0x20), mload(code))
        }
        require(made != address(0), name);
    }
}
