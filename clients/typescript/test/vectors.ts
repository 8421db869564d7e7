// The vectors that Rust writes, in the types of the client.
import { readFileSync } from "node:fs";
import { getAddress } from "viem";
import type { Address, Hex } from "viem";
import type { Form, NativeMessage } from "../src/message.js";
import type { Certificate, ReceiptProof, ValidatorSet, Verdict } from "../src/verify.js";

function load(name: string): unknown {
  return JSON.parse(readFileSync(new URL(`../../../../primitives/vectors/${name}`, import.meta.url), "utf8"));
}

interface RawStatement {
  genesis: Hex;
  setId: string;
  blockNumber: string;
  blockHash: Hex;
  anchorNumber: string;
  anchorHash: Hex;
  outcome: Hex;
}

interface RawProof {
  receipt: {
    messageId: Hex;
    programId: Hex;
    code: Hex;
    payloadHash: Hex;
    value: string;
    gasBurned: string;
    round: string;
  };
  index: string;
  count: string;
  siblings: Hex[];
  receiptsRoot: Hex;
  stateRoot: Hex;
  transitionsHash: Hex;
}

interface RawCase {
  name: string;
  verdict: Verdict | "Valid";
  statement: RawStatement;
  digest: Hex;
  signers: Hex;
  signatures: Hex[];
  proof: RawProof;
  leaf: Hex;
}

interface RawNetwork {
  name: string;
  chainId: string;
  router: Address;
  genesis: Hex;
  setId: string;
  members: Address[];
  weights: string[];
  cases: RawCase[];
}

export interface Case {
  name: string;
  verdict: Verdict | "Valid";
  digest: Hex;
  leaf: Hex;
  certificate: Certificate;
  proof: ReceiptProof;
}

export interface Network {
  name: string;
  set: ValidatorSet;
  cases: Case[];
}

function certificateOf({ statement, signers, signatures }: RawCase): Certificate {
  return {
    statement: {
      ...statement,
      setId: BigInt(statement.setId),
      blockNumber: BigInt(statement.blockNumber),
      anchorNumber: BigInt(statement.anchorNumber),
    },
    signers,
    signatures,
  };
}

function proofOf(proof: RawProof): ReceiptProof {
  const { receipt } = proof;
  return {
    ...proof,
    index: BigInt(proof.index),
    count: BigInt(proof.count),
    receipt: {
      ...receipt,
      value: BigInt(receipt.value),
      gasBurned: BigInt(receipt.gasBurned),
      round: BigInt(receipt.round),
    },
  };
}

export function networks(): Network[] {
  return (load("certificates.json") as { networks: RawNetwork[] }).networks.map((network) => ({
    name: network.name,
    set: {
      chainId: Number(network.chainId),
      router: getAddress(network.router),
      genesis: network.genesis,
      setId: BigInt(network.setId),
      members: network.members.map((address, place) => ({ address, weight: BigInt(network.weights[place] ?? "0") })),
    },
    cases: network.cases.map((one) => ({
      name: one.name,
      verdict: one.verdict,
      digest: one.digest,
      leaf: one.leaf,
      certificate: certificateOf(one),
      proof: proofOf(one.proof),
    })),
  }));
}

export interface Native {
  form: Form;
  message: NativeMessage;
  digest: Hex;
  id: Hex;
  rpc: Record<string, unknown>;
}

export function natives(): { chainId: number; router: Address; secret: Hex; address: Address; vectors: Native[] } {
  const all = load("natives.json") as {
    chainId: string;
    router: Address;
    secret: Hex;
    address: Address;
    vectors: (Omit<Native, "message"> & { transaction: Omit<NativeMessage, "value"> & { value: string } })[];
  };
  return {
    ...all,
    chainId: Number(all.chainId),
    vectors: all.vectors.map(({ transaction, ...rest }) => ({
      ...rest,
      message: { ...transaction, value: BigInt(transaction.value) },
    })),
  };
}
