// SPDX-License-Identifier: GPL-3.0-or-later
pragma solidity 0.8.25;

// Makes forge build, for tests only, the contracts of Symbiotic that the Middleware is tested against.
import { DelegatorFactory } from "@symbioticfi/core/src/contracts/DelegatorFactory.sol";
import { NetworkRegistry } from "@symbioticfi/core/src/contracts/NetworkRegistry.sol";
import { OperatorRegistry } from "@symbioticfi/core/src/contracts/OperatorRegistry.sol";
import { SlasherFactory } from "@symbioticfi/core/src/contracts/SlasherFactory.sol";
import { VaultConfigurator } from "@symbioticfi/core/src/contracts/VaultConfigurator.sol";
import { VaultFactory } from "@symbioticfi/core/src/contracts/VaultFactory.sol";
import { FullRestakeDelegator } from "@symbioticfi/core/src/contracts/delegator/FullRestakeDelegator.sol";
import { NetworkRestakeDelegator } from "@symbioticfi/core/src/contracts/delegator/NetworkRestakeDelegator.sol";
import {
    OperatorNetworkSpecificDelegator
} from "@symbioticfi/core/src/contracts/delegator/OperatorNetworkSpecificDelegator.sol";
import { OperatorSpecificDelegator } from "@symbioticfi/core/src/contracts/delegator/OperatorSpecificDelegator.sol";
import { NetworkMiddlewareService } from "@symbioticfi/core/src/contracts/service/NetworkMiddlewareService.sol";
import { OptInService } from "@symbioticfi/core/src/contracts/service/OptInService.sol";
import { Slasher } from "@symbioticfi/core/src/contracts/slasher/Slasher.sol";
import { VetoSlasher } from "@symbioticfi/core/src/contracts/slasher/VetoSlasher.sol";
import { Vault } from "@symbioticfi/core/src/contracts/vault/Vault.sol";
