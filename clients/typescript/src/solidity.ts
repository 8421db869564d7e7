// The same proof as arguments of `ReceiptVerifier.verify` and of contracts that build it in.
import { concatHex, parseAbi } from "viem";
import type { Hex } from "viem";
import type { Certificate, ReceiptProof, RoundStatement } from "./verify.js";

/** What `verify` takes before anything of the contract's own. */
export type ProofArguments = readonly [statement: RoundStatement, signers: Hex, signatures: Hex, proof: ReceiptProof];

/** For `writeContract` and `readContract` of viem. */
export function proofArguments(certificate: Certificate, proof: ReceiptProof): ProofArguments {
  return [certificate.statement, certificate.signers, concatHex(certificate.signatures), proof];
}

/** The structures in human-readable ABI, for contracts that take a proof themselves. */
export const PROOF_STRUCTS = [
  "struct RoundStatement { bytes32 genesis; uint64 setId; uint64 blockNumber; bytes32 blockHash; uint64 anchorNumber; bytes32 anchorHash; bytes32 outcome; }",
  "struct Receipt { bytes32 messageId; bytes32 programId; bytes4 code; bytes32 payloadHash; uint128 value; uint64 gasBurned; uint64 round; }",
  "struct ReceiptProof { Receipt receipt; uint64 index; uint64 count; bytes32[] siblings; bytes32 receiptsRoot; bytes32 stateRoot; bytes32 transitionsHash; }",
] as const;

/** `contracts/src/ReceiptVerifier.sol`, as far as clients call it. */
export const RECEIPT_VERIFIER_ABI = parseAbi([
  ...PROOF_STRUCTS,
  "function router() view returns (address)",
  "function verify(RoundStatement statement, bytes signers, bytes signatures, ReceiptProof proof) view",
  "function verifyOffBranch(RoundStatement statement, bytes signers, bytes signatures, ReceiptProof proof) view",
  "error InvalidGenesis()",
  "error InvalidSet(uint64 expected, uint64 actual)",
  "error ValidatorSetStale(uint256 since)",
  "error AnchorNotAncestor(uint64 number, bytes32 hash)",
  "error AnchorTooOld(uint64 number)",
  "error TrailingZeroByte()",
  "error SignerOutOfRange()",
  "error InvalidSignaturesLength(uint256 expected, uint256 actual)",
  "error InvalidSignature(uint256 index)",
  "error NotEnoughHeads(uint256 signed, uint256 total)",
  "error NotEnoughWeight(uint256 signed, uint256 total)",
  "error NotInRound()",
  "error WrongRound(uint64 signed, uint64 named)",
]);
