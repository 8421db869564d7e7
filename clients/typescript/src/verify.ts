// Verifies offline that a message ended as its receipt says: its leaf is in a round's tree of receipts, the root of that tree
// is in the round's outcome, and a quorum of validators has signed the outcome. Nothing is asked of anybody; what it trusts is
// the validator set that it is given, which `readValidatorSet` (router.ts) reads from the Router.
//
// The Rust side is `primitives/src/certificate.rs`, the Solidity side `contracts/src/libraries/Certificates.sol`; all three
// are tested against `primitives/vectors/certificates.json`.
import { concat, encodePacked, hashTypedData, hexToBytes, keccak256, recoverAddress, size, slice, toHex } from "viem";
import type { Address, Hex } from "viem";

/** A validator as the Router knows it. */
export interface Member {
  readonly address: Address;
  readonly weight: bigint;
}

/** Whom to believe: the validator set that a Router holds. The order of members is that of the bitmap. */
export interface ValidatorSet {
  readonly chainId: number;
  readonly router: Address;
  /** Genesis hash of the Gear.exe chain. */
  readonly genesis: Hex;
  readonly setId: bigint;
  readonly members: readonly Member[];
}

/** What every validator signs of a round. */
export interface RoundStatement {
  readonly genesis: Hex;
  readonly setId: bigint;
  readonly blockNumber: bigint;
  readonly blockHash: Hex;
  /** The Ethereum block up to which the round has taken events. */
  readonly anchorNumber: bigint;
  readonly anchorHash: Hex;
  /** `keccak256(receiptsRoot ‖ stateRoot ‖ transitionsHash)`. */
  readonly outcome: Hex;
}

/** Validators' signatures on a round. */
export interface Certificate {
  readonly statement: RoundStatement;
  /** Bit `i % 8`, from the least significant, of byte `i / 8` stands for member `i`. No trailing zero bytes. */
  readonly signers: Hex;
  /** 64 bytes each (EIP-2098), in the order of the set. */
  readonly signatures: readonly Hex[];
}

/** What happened to one message. */
export interface Receipt {
  readonly messageId: Hex;
  /** Who executed or refused it, in 32 bytes: a program's address stands on the right. */
  readonly programId: Hex;
  /** How it ended, in 4 bytes; the first is 0 for success. */
  readonly code: Hex;
  /** Keccak-256 of the reply's payload. */
  readonly payloadHash: Hex;
  /** ETH that went back with the reply, in wei. */
  readonly value: bigint;
  readonly gasBurned: bigint;
  /** Number of the chain block in whose round it ended. */
  readonly round: bigint;
}

/** The way from a receipt to what was signed of its round. */
export interface ReceiptProof {
  readonly receipt: Receipt;
  /** Its place among the round's receipts, and their number. */
  readonly index: bigint;
  readonly count: bigint;
  /** From the leaf to the root, lowest first. */
  readonly siblings: readonly Hex[];
  readonly receiptsRoot: Hex;
  readonly stateRoot: Hex;
  readonly transitionsHash: Hex;
}

/**
 * Why something proves nothing: it is of another chain (`Genesis`) or another validator set (`Set`); the bitmap names somebody
 * outside the set or ends in a zero byte (`Signers`); there are more or fewer signatures than signers (`Signatures`); one is not
 * that member's (`NotTheMember`); not more than two thirds of heads (`Heads`) or of weight (`Weight`) have signed; the receipt
 * is not of that round (`NotInRound`), or says that it is of another (`WrongRound`); a field is not what its type says
 * (`Malformed`).
 */
export type Verdict =
  | "Genesis"
  | "Set"
  | "Signers"
  | "Signatures"
  | "NotTheMember"
  | "Heads"
  | "Weight"
  | "NotInRound"
  | "WrongRound"
  | "Malformed";

/** Something that proves nothing. */
export class VerifyError extends Error {
  override readonly name = "VerifyError";
  constructor(
    readonly verdict: Verdict,
    message: string,
    options?: ErrorOptions,
  ) {
    super(message, options);
  }
}

/** Half of the order of secp256k1: the largest `s` of a signature (EIP-2). */
const HALF_ORDER = 0x7fffffffffffffffffffffffffffffff5d576e7357a4501ddfe92f46681b20a0n;

const ROUND = [
  { name: "genesis", type: "bytes32" },
  { name: "setId", type: "uint64" },
  { name: "blockNumber", type: "uint64" },
  { name: "blockHash", type: "bytes32" },
  { name: "anchorNumber", type: "uint64" },
  { name: "anchorHash", type: "bytes32" },
  { name: "outcome", type: "bytes32" },
] as const;

/** Throws a `VerifyError` unless the receipt is one of a round that a quorum of the set has signed. */
export async function verifyReceipt(set: ValidatorSet, certificate: Certificate, proof: ReceiptProof): Promise<void> {
  await verifyCertificate(set, certificate);
  verifyProof(certificate.statement, proof);
}

/** Throws a `VerifyError` unless more than two thirds of the set's heads and of its weight have signed. */
export async function verifyCertificate(set: ValidatorSet, certificate: Certificate): Promise<void> {
  const { statement, signatures } = certificate;
  if (statement.genesis.toLowerCase() !== set.genesis.toLowerCase()) {
    throw new VerifyError("Genesis", `signed for the chain ${statement.genesis}, and not for ${set.genesis}`);
  }
  if (statement.setId !== set.setId) {
    throw new VerifyError("Set", `signed by the set ${statement.setId}, and not by ${set.setId}`);
  }
  const places = signersOf(certificate.signers, set.members.length);
  if (places.length !== signatures.length) {
    throw new VerifyError("Signatures", `${signatures.length} signatures of ${places.length} signers`);
  }
  const digest = wellFormed(() => roundDigest(set, statement));
  let weight = 0n;
  for (const [index, place] of places.entries()) {
    const [member, signature] = [set.members[place], signatures[index]];
    if (!member || !signature || (await signer(digest, signature)) !== member.address.toLowerCase()) {
      throw new VerifyError("NotTheMember", `a signature is not that of validator ${place}`);
    }
    weight += member.weight;
  }
  const heads = set.members.length;
  if (places.length * 3 <= heads * 2) {
    throw new VerifyError("Heads", `${places.length} of ${heads} validators are not more than two thirds`);
  }
  const all = set.members.reduce((sum, member) => sum + member.weight, 0n);
  if (weight * 3n <= all * 2n) {
    throw new VerifyError("Weight", `a weight of ${weight} of ${all} is not more than two thirds`);
  }
}

/** Throws a `VerifyError` unless the receipt is one of the round of the statement. Who signed that is another question. */
export function verifyProof(statement: RoundStatement, proof: ReceiptProof): void {
  const outcome = wellFormed(() => {
    const root = receiptsRoot(receiptLeaf(proof.receipt), proof.index, proof.count, proof.siblings);
    if (root !== proof.receiptsRoot.toLowerCase()) return undefined;
    const words = ["bytes32", "bytes32", "bytes32"] as const;
    return keccak256(encodePacked(words, [proof.receiptsRoot, proof.stateRoot, proof.transitionsHash]));
  });
  if (outcome !== statement.outcome.toLowerCase()) {
    throw new VerifyError("NotInRound", `the receipt is not one of the round of block ${statement.blockNumber}`);
  }
  if (proof.receipt.round !== statement.blockNumber) {
    throw new VerifyError(
      "WrongRound",
      `the receipt is of round ${proof.receipt.round}, and the round of block ${statement.blockNumber} was signed`,
    );
  }
}

/** The 32 bytes that validators sign (EIP-712, in the Router's domain). */
export function roundDigest(router: { chainId: number; router: Address }, statement: RoundStatement): Hex {
  return hashTypedData({
    domain: routerDomain(router),
    types: { Round: ROUND },
    primaryType: "Round",
    message: statement,
  });
}

/** The domain of what is signed for a Router. */
export function routerDomain({ chainId, router }: { chainId: number; router: Address }) {
  return { name: "Vara.ETH Router", version: "1", chainId, verifyingContract: router } as const;
}

/** The leaf of a receipt in its round's tree. */
export function receiptLeaf(receipt: Receipt): Hex {
  return keccak256(
    encodePacked(
      ["uint8", "bytes32", "bytes32", "bytes4", "bytes32", "uint128", "uint64", "uint64"],
      [
        0,
        receipt.messageId,
        receipt.programId,
        receipt.code,
        receipt.payloadHash,
        receipt.value,
        receipt.gasBurned,
        receipt.round,
      ],
    ),
  );
}

/** The places of the signers, ascending. */
function signersOf(signers: Hex, members: number): number[] {
  const bytes = wellFormed(() => hexToBytes(signers));
  if (bytes.at(-1) === 0) throw new VerifyError("Signers", "the bitmap of signers ends in a zero byte");
  const places = [];
  for (const [index, byte] of bytes.entries()) {
    for (let bit = 0; bit < 8; bit++) {
      if ((byte >> bit) & 1) places.push(index * 8 + bit);
    }
  }
  if ((places.at(-1) ?? 0) >= members) {
    throw new VerifyError("Signers", `the bitmap names somebody beyond the ${members} validators`);
  }
  return places;
}

/** Who has signed, in lower case; nobody for what is no signature with a low `s`. */
async function signer(digest: Hex, signature: Hex): Promise<string | undefined> {
  if (wellFormed(() => hexToBytes(signature)).length !== 64) return undefined;
  const high = BigInt(slice(signature, 32));
  const s = high & ((1n << 255n) - 1n);
  if (s > HALF_ORDER) return undefined;
  const parts = { r: slice(signature, 0, 32), s: toHex(s, { size: 32 }), yParity: Number(high >> 255n) };
  try {
    return (await recoverAddress({ hash: digest, signature: parts })).toLowerCase();
  } catch {
    return undefined; // Not a point of the curve.
  }
}

/** The root to which the leaf at `index` of `count` leads; none if there is no such place, or not as many siblings. */
function receiptsRoot(leaf: Hex, index: bigint, count: bigint, siblings: readonly Hex[]): Hex | undefined {
  if (index < 0n || index >= count) return undefined;
  let [hash, place, width, used] = [leaf, index, count, 0];
  while (width > 1n) {
    // A node without a sibling goes up unchanged.
    if ((place ^ 1n) < width) {
      const sibling = siblings[used++];
      if (sibling === undefined) return undefined;
      if (size(sibling) !== 32) throw new TypeError("a sibling is not 32 bytes");
      hash = keccak256(concat(place % 2n === 0n ? ["0x01", hash, sibling] : ["0x01", sibling, hash]));
    }
    place /= 2n;
    width = (width + 1n) / 2n;
  }
  if (used !== siblings.length) return undefined;
  return keccak256(encodePacked(["uint8", "uint64", "bytes32"], [2, count, hash]));
}

/** What is computed; a `VerifyError` if a field is too long, no hex, or out of its range. */
function wellFormed<T>(compute: () => T): T {
  try {
    return compute();
  } catch (cause) {
    throw new VerifyError("Malformed", cause instanceof Error ? cause.message : String(cause), { cause });
  }
}
