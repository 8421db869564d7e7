// Whom to believe: what `verify.ts` needs of the Router, asked from an Ethereum node of your own.
import { getAddress, parseAbi } from "viem";
import type { Address, PublicClient } from "viem";
import type { Block } from "./shapes.js";
import type { ValidatorSet } from "./verify.js";

const ROUTER = parseAbi([
  "function chainGenesis() view returns (bytes32)",
  "function setId() view returns (uint64)",
  "function validatorSet() view returns (address[] list, uint64[] weights)",
  "function maxStaleness() view returns (uint48)",
  "function storageView() view returns (((bytes32 hash,uint32 number,uint48 timestamp) genesisBlock,(bytes32 hash,uint48 timestamp) latestCommittedBatch,(address mirror,address wrappedVara,address middleware) implAddresses,(uint128 thresholdNumerator,uint128 thresholdDenominator,((uint256 x,uint256 y) aggregatedPublicKey,address verifiableSecretSharingCommitmentPointer,address[] list,uint256 useFromTimestamp) validators0,((uint256 x,uint256 y) aggregatedPublicKey,address verifiableSecretSharingCommitmentPointer,address[] list,uint256 useFromTimestamp) validators1) validationSettings,(uint64 threshold,uint128 wvaraPerSecond) computeSettings,(uint256 era,uint256 election,uint256 validationDelay) timelines,uint256 programsCount,uint256 validatedCodesCount,uint16 maxValidators,uint256 requestCodeValidationBaseFee,uint256 requestCodeValidationExtraFee,uint256 protocolVersion) all)",
]);

/** The Router's validator set was not renewed for so long that nobody may believe it. */
export class StaleSetError extends Error {
  override readonly name = "StaleSetError";
  constructor(
    readonly since: Date,
    readonly maxSeconds: number,
  ) {
    super(`the Router's validators are those of ${since.toISOString()}, which was not to last for more than ${maxSeconds} s`);
  }
}

/**
 * The validator set that the Router holds at Ethereum's head. It is good until the Router takes another one: read it again when a
 * certificate is refused with the verdict `Set`. Throws a `StaleSetError` for a set whose members may have left long ago.
 */
export async function readValidatorSet(ethereum: PublicClient, router: Address): Promise<ValidatorSet> {
  const [chainId, { number: blockNumber, timestamp }] = await Promise.all([
    ethereum.getChainId(),
    ethereum.getBlock({ blockTag: "latest" }),
  ]);
  const at = { address: router, abi: ROUTER, blockNumber } as const;
  const [genesis, setId, [list, weights], maxStaleness, view] = await Promise.all([
    ethereum.readContract({ ...at, functionName: "chainGenesis" }),
    ethereum.readContract({ ...at, functionName: "setId" }),
    ethereum.readContract({ ...at, functionName: "validatorSet" }),
    ethereum.readContract({ ...at, functionName: "maxStaleness" }),
    ethereum.readContract({ ...at, functionName: "storageView" }),
  ]);
  const since = view.validationSettings.validators0.useFromTimestamp;
  if (timestamp > since + BigInt(maxStaleness)) {
    throw new StaleSetError(new Date(Number(since) * 1000), maxStaleness);
  }
  const members = list.map((address, place) => ({ address, weight: weights[place] ?? 0n }));
  return { chainId, router: getAddress(router), genesis, setId, members };
}

/** Whether an anchor is still on Ethereum's branch, as this Ethereum node sees it. */
export async function isCanonical(ethereum: PublicClient, anchor: Block): Promise<boolean> {
  const head = await ethereum.getBlockNumber({ cacheTime: 0 });
  if (anchor.number > head) return false;
  return (await ethereum.getBlock({ blockNumber: anchor.number })).hash === anchor.hash;
}
