// Native messages: what a user signs, in three forms, and the id by which a message is known. The Rust side is
// `primitives/src/native.rs`; both are tested against `primitives/vectors/natives.json`.
import { blake2b } from "@noble/hashes/blake2";
import { bytesToHex, concat, hashMessage, hashTypedData, hexToBytes, keccak256, numberToHex, pad, size, slice } from "viem";
import type { Address, Hex, TypedDataDefinition } from "viem";
import { routerDomain } from "./verify.js";

/** What a user wants a program to be told. */
export interface NativeMessage {
  /** The program: the address of its Mirror. */
  readonly destination: Address;
  /** What it is told, at most 126 KiB. */
  readonly payload: Hex;
  /** In wei. Must be 0 for now. */
  readonly value: bigint;
  /** Hash of a recent Ethereum block. Until some blocks after it the message can be included, and never again. */
  readonly referenceBlock: Hex;
  /** Any bytes, at most 32, by which two equal messages differ. */
  readonly salt: Hex;
}

/**
 * How a message is signed: as typed data, which a wallet shows field by field and whose id nobody else can take (`typed`); or as
 * a personal message over a digest, as clients of Vara.eth do from 0.5 on (`versioned`) and before (`legacy`).
 */
export type Form = "typed" | "versioned" | "legacy";

/** Where programs are. */
export interface RouterAddress {
  readonly chainId: number;
  readonly router: Address;
}

/** A message with its signature. */
export interface SignedMessage {
  readonly message: NativeMessage;
  readonly form: Form;
  readonly source: Address;
  /** 65 bytes: r, s, v. */
  readonly signature: Hex;
  /** By which `watch` and `status` know it. */
  readonly id: Hex;
}

/** The longest payload and the longest salt, in bytes. */
export const MAX_PAYLOAD = 126 * 1024;
export const MAX_SALT = 32;

/** A message that cannot be signed as it is, or a wallet that does not sign. */
export class SignError extends Error {
  override readonly name = "SignError";
}

/** Any wallet of a browser (EIP-1193). */
export interface Eip1193Provider {
  request(call: { method: string; params: readonly unknown[] }): Promise<unknown>;
}

/** An account of viem that holds its own key; `privateKeyToAccount` makes one. */
export interface LocalAccount {
  readonly address: Address;
  signTypedData(data: TypedDataDefinition): Promise<Hex>;
  signMessage(message: { message: { raw: Hex } }): Promise<Hex>;
}

/** Who signs: an account of viem, or a wallet with the address by which it shall. */
export type Signer = LocalAccount | { readonly provider: Eip1193Provider; readonly address: Address };

const TYPES = {
  NativeMessage: [
    { name: "destination", type: "address" },
    { name: "payload", type: "bytes" },
    { name: "value", type: "uint256" },
    { name: "referenceBlock", type: "bytes32" },
    { name: "salt", type: "bytes32" },
  ],
} as const;

const DOMAIN_TYPE = [
  { name: "name", type: "string" },
  { name: "version", type: "string" },
  { name: "chainId", type: "uint256" },
  { name: "verifyingContract", type: "address" },
] as const;

function typedData(at: RouterAddress, message: NativeMessage) {
  const { destination, payload, value, referenceBlock, salt } = message;
  return {
    domain: routerDomain(at),
    types: TYPES,
    primaryType: "NativeMessage",
    // In this order wallets show them.
    message: { destination, payload, value, referenceBlock, salt: pad(salt, { dir: "right", size: 32 }) },
  } as const;
}

function blake2b256(bytes: Hex): Hex {
  return bytesToHex(blake2b(hexToBytes(bytes), { dkLen: 32 }));
}

/** What existing clients hash. */
function preimage(message: NativeMessage, form: "versioned" | "legacy"): Hex {
  const part = (bytes: Hex) => (form === "legacy" ? bytes : blake2b256(bytes));
  return concat([
    pad(message.destination, { size: 32 }),
    part(message.payload),
    numberToHex(message.value, { size: 16 }),
    message.referenceBlock,
    part(message.salt),
  ]);
}

/** The 32 bytes whose signature counts. */
export function messageDigest(at: RouterAddress, message: NativeMessage, form: Form): Hex {
  requireSized(message);
  if (form === "typed") return hashTypedData(typedData(at, message));
  return hashMessage({ raw: keccak256(preimage(message, form)) });
}

/** The id of a message. In the forms that exist already it does not depend on who signs. */
export function messageId(at: RouterAddress, message: NativeMessage, form: Form, source: Address): Hex {
  requireSized(message);
  if (form === "typed") return blake2b256(concat([messageDigest(at, message, form), source]));
  return blake2b256(preimage(message, form));
}

/** Has a message signed. The wallet may refuse; what it says is the error's cause. */
export async function sign(
  at: RouterAddress,
  message: NativeMessage,
  signer: Signer,
  form: Form = "typed",
): Promise<SignedMessage> {
  requireSized(message);
  const signature = await ("provider" in signer
    ? signByWallet(at, message, signer.provider, signer.address, form)
    : form === "typed"
      ? signer.signTypedData(typedData(at, message))
      : signer.signMessage({ message: { raw: keccak256(preimage(message, form)) } }));
  if (size(signature) !== 65) throw new SignError(`a signature has 65 bytes, and not ${size(signature)}`);
  return {
    message,
    form,
    source: signer.address,
    signature: withV27(signature),
    id: messageId(at, message, form, signer.address),
  };
}

async function signByWallet(
  at: RouterAddress,
  message: NativeMessage,
  provider: Eip1193Provider,
  address: Address,
  form: Form,
): Promise<Hex> {
  const call =
    form === "typed"
      ? { method: "eth_signTypedData_v4", params: [address, walletJson(at, message)] }
      : { method: "personal_sign", params: [keccak256(preimage(message, form)), address] };
  let answer: unknown;
  try {
    answer = await provider.request(call);
  } catch (cause) {
    throw new SignError("the wallet has not signed", { cause });
  }
  if (typeof answer !== "string" || !/^0x[0-9a-fA-F]*$/.test(answer)) {
    throw new SignError("the wallet's answer is no signature");
  }
  return answer as Hex;
}

/** Typed data as `eth_signTypedData_v4` reads it. */
export function walletJson(at: RouterAddress, message: NativeMessage): string {
  const data = typedData(at, message);
  return JSON.stringify({
    ...data,
    types: { EIP712Domain: DOMAIN_TYPE, ...TYPES },
    message: { ...data.message, value: message.value.toString() },
  });
}

/** A signed message as RPC reads it. */
export function toRpc(signed: SignedMessage): unknown {
  const { message, form, source, signature } = signed;
  const data = {
    destination: message.destination.toLowerCase(),
    payload: message.payload,
    value: message.value.toString(),
    reference_block: message.referenceBlock,
    salt: message.salt,
  };
  const shape = { data, signature, address: source.toLowerCase() };
  if (form === "typed") return { ...shape, form };
  return form === "legacy" ? { recipient: `0x${"0".repeat(40)}`, tx: shape } : shape;
}

/** Some wallets say 0 and 1 for the last byte. */
function withV27(signature: Hex): Hex {
  const v = Number(slice(signature, 64, 65));
  return v < 27 ? concat([slice(signature, 0, 64), numberToHex(v + 27, { size: 1 })]) : signature;
}

function requireSized(message: NativeMessage): void {
  const payload = size(message.payload);
  if (payload > MAX_PAYLOAD) throw new SignError(`a payload has at most ${MAX_PAYLOAD} bytes, and not ${payload}`);
  const salt = size(message.salt);
  if (salt > MAX_SALT) throw new SignError(`a salt has at most ${MAX_SALT} bytes, and not ${salt}`);
  if (size(message.referenceBlock) !== 32) throw new SignError("a reference block is a hash of 32 bytes");
  if (message.value < 0n || message.value >> 128n !== 0n) throw new SignError("a value has 16 bytes");
}
