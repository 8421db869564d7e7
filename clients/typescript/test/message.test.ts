// Ids, digests and signatures against those that Rust computes.
import assert from "node:assert/strict";
import { test } from "node:test";
import { hashTypedData, numberToHex, size } from "viem";
import type { Hex, TypedDataDefinition } from "viem";
import { privateKeyToAccount, sign as signDigest } from "viem/accounts";
import { messageDigest, messageId, sign, SignError, toRpc, walletJson } from "../src/message.js";
import type { Eip1193Provider } from "../src/message.js";
import { natives } from "./vectors.js";

const all = natives();
const account = privateKeyToAccount(all.secret);

/** A wallet as browsers have it: it sees only what `request` brings. */
const wallet: Eip1193Provider = {
  async request({ method, params }) {
    if (method === "personal_sign") {
      const [data, address] = params as [Hex, Hex];
      assert.equal(address, account.address);
      return account.signMessage({ message: { raw: data } });
    }
    assert.equal(method, "eth_signTypedData_v4");
    const { types, ...data } = JSON.parse(String(params[1])) as TypedDataDefinition & { types: Record<string, unknown> };
    // As a wallet does: the domain's type comes with the data.
    assert("EIP712Domain" in types);
    return account.signTypedData({ ...data, types } as TypedDataDefinition);
  },
};

/** Amounts are written as numbers or as strings. */
function normal(rpc: unknown): unknown {
  return JSON.parse(JSON.stringify(rpc), (key, value: unknown) => (key === "value" ? String(value) : value));
}

test("ids and digests are those of Rust", () => {
  assert(all.vectors.length >= 15);
  for (const { form, message, digest, id } of all.vectors) {
    assert.equal(messageDigest(all, message, form), digest, form);
    assert.equal(messageId(all, message, form, all.address), id, form);
  }
});

test("an account's signature is what the node reads", async () => {
  assert.equal(account.address.toLowerCase(), all.address);
  for (const { form, message, id, rpc } of all.vectors) {
    const signed = await sign(all, message, account, form);
    assert.equal(signed.id, id);
    assert.deepEqual(normal(toRpc(signed)), normal(rpc), form);
  }
});

test("a wallet's signature is the same", async () => {
  for (const { form, message, rpc } of all.vectors) {
    const signed = await sign(all, message, { provider: wallet, address: account.address }, form);
    assert.deepEqual(normal(toRpc(signed)), normal(rpc), form);
  }
});

test("a wallet is shown every field", () => {
  const { message } = all.vectors[all.vectors.length - 1] ?? {};
  assert(message);
  const shown = JSON.parse(walletJson(all, message)) as TypedDataDefinition;
  assert.deepEqual(Object.keys(shown.message), ["destination", "payload", "value", "referenceBlock", "salt"]);
  assert.equal(hashTypedData(shown), messageDigest(all, message, "typed"));
});

test("a wallet that says 0 and 1 is understood", async () => {
  const [one] = all.vectors.filter(({ form }) => form === "versioned");
  assert(one);
  const bare: Eip1193Provider = {
    async request() {
      const { r, s, yParity } = await signDigest({ hash: one.digest, privateKey: all.secret });
      return `${r}${s.slice(2)}${numberToHex(yParity ?? 0, { size: 1 }).slice(2)}`;
    },
  };
  const signed = await sign(all, one.message, { provider: bare, address: account.address }, "versioned");
  assert.deepEqual(normal(toRpc(signed)), normal(one.rpc));
});

test("what cannot be sent is not signed", async () => {
  const [one] = all.vectors;
  assert(one);
  const { message } = one;
  const long = (bytes: number): Hex => `0x${"00".repeat(bytes)}`;
  for (const bad of [
    { ...message, payload: long(126 * 1024 + 1) },
    { ...message, salt: long(33) },
    { ...message, referenceBlock: long(31) },
    { ...message, value: -1n },
    { ...message, value: 1n << 128n },
  ]) {
    await assert.rejects(sign(all, bad, account), SignError);
  }
  const refusing: Eip1193Provider = { request: () => Promise.reject(new Error("User rejected the request.")) };
  const refused = sign(all, message, { provider: refusing, address: account.address });
  await assert.rejects(refused, (error) => error instanceof SignError && error.cause instanceof Error);
  const strange: Eip1193Provider = { request: () => Promise.resolve("0x1234") };
  await assert.rejects(sign(all, message, { provider: strange, address: account.address }), SignError);
  assert.equal(size(message.referenceBlock), 32);
});
