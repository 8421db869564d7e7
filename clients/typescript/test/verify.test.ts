// The verifier against the vectors that Rust writes, and that Solidity judges as well.
import assert from "node:assert/strict";
import { test } from "node:test";
import type { Hex } from "viem";
import { receiptLeaf, roundDigest, verifyCertificate, verifyProof, verifyReceipt, VerifyError } from "../src/verify.js";
import type { Certificate, ReceiptProof, ValidatorSet } from "../src/verify.js";
import { networks } from "./vectors.js";

async function verdict(set: ValidatorSet, certificate: Certificate, proof: ReceiptProof): Promise<string> {
  try {
    await verifyReceipt(set, certificate, proof);
    return "Valid";
  } catch (error) {
    assert(error instanceof VerifyError, String(error));
    return error.verdict;
  }
}

function first() {
  const [network] = networks();
  const [good] = network?.cases ?? [];
  assert(network && good);
  assert.equal(good.verdict, "Valid");
  return { set: network.set, certificate: good.certificate, proof: good.proof };
}

test("every vector is judged as Rust judges it", async () => {
  const seen = { valid: 0, refused: 0 };
  for (const { name, set, cases } of networks()) {
    for (const one of cases) {
      assert.equal(roundDigest(set, one.certificate.statement), one.digest, `${name}: ${one.name}`);
      assert.equal(receiptLeaf(one.proof.receipt), one.leaf, `${name}: ${one.name}`);
      assert.equal(await verdict(set, one.certificate, one.proof), one.verdict, `${name}: ${one.name}`);
      seen[one.verdict === "Valid" ? "valid" : "refused"] += 1;
    }
  }
  // So that an empty file is no success.
  assert(seen.valid >= 14 && seen.refused >= 50, JSON.stringify(seen));
});

/** Every hex text in a structure, with how to replace it. */
function* texts<T>(value: T): Generator<[Hex, (other: Hex) => T]> {
  if (typeof value === "string") yield [value as Hex, (other) => other as T];
  else if (typeof value === "object" && value !== null) {
    for (const [key, part] of Object.entries(value)) {
      for (const [text, replace] of texts<unknown>(part)) {
        yield [
          text,
          (other) => {
            const copy = structuredClone(value);
            Reflect.set(copy as object, key, replace(other));
            return copy;
          },
        ];
      }
    }
  }
}

function flip(text: Hex, bit: number): Hex {
  const at = 2 + (bit >> 2);
  const digit = Number.parseInt(text.charAt(at), 16) ^ (1 << (bit & 3));
  return `${text.slice(0, at)}${digit.toString(16)}${text.slice(at + 1)}` as Hex;
}

test("any flipped bit is refused", async () => {
  const { set, certificate, proof } = first();
  let tried = 0;
  for (const [text, replace] of texts(certificate)) {
    for (let bit = tried % 7; bit < (text.length - 2) * 4; bit += 7) {
      assert.notEqual(await verdict(set, replace(flip(text, bit)), proof), "Valid", `${text} at ${bit}`);
      tried += 1;
    }
  }
  for (const [text, replace] of texts(proof)) {
    for (let bit = 0; bit < (text.length - 2) * 4; bit += 1) {
      const changed = replace(flip(text, bit));
      assert.throws(() => verifyProof(certificate.statement, changed), VerifyError, `${text} at ${bit}`);
      tried += 1;
    }
  }
  assert(tried > 2000, String(tried));
});

test("what is malformed is refused by name", async () => {
  const { set, certificate, proof } = first();
  const { statement } = certificate;
  const receipt = proof.receipt;
  const bad: [Certificate, ReceiptProof][] = [
    [{ ...certificate, signers: "0xzz" }, proof],
    [{ ...certificate, signatures: ["0x", "0x12", "0xzz"] }, proof],
    [{ ...certificate, statement: { ...statement, blockHash: "0x12" } }, proof],
    [{ ...certificate, statement: { ...statement, blockNumber: 1n << 64n } }, proof],
    [{ ...certificate, statement: { ...statement, anchorNumber: -1n } }, proof],
    [certificate, { ...proof, receipt: { ...receipt, messageId: "0x" } }],
    [certificate, { ...proof, receipt: { ...receipt, code: "0x0001" } }],
    [certificate, { ...proof, receipt: { ...receipt, gasBurned: 1n << 64n } }],
    [certificate, { ...proof, receipt: { ...receipt, value: -1n } }],
    [certificate, { ...proof, siblings: proof.siblings.map((sibling): Hex => `${sibling}00`) }],
    [certificate, { ...proof, siblings: ["0xnothing", ...proof.siblings.slice(1)] }],
    [certificate, { ...proof, index: -1n }],
    [certificate, { ...proof, count: 1n << 64n }],
    [certificate, { ...proof, stateRoot: "0x" }],
  ];
  for (const [changed, shown] of bad) {
    const said = await verdict(set, changed, shown);
    assert(["Malformed", "NotTheMember", "NotInRound"].includes(said), said);
  }
});

test("a set with nobody in it has no quorum", async () => {
  const { set, certificate } = first();
  const nobody = { ...certificate, signers: "0x", signatures: [] } as const;
  await assert.rejects(verifyCertificate({ ...set, members: [] }, nobody), VerifyError);
});

test("the case of letters does not matter", async () => {
  const { set, certificate, proof } = first();
  const upper = (text: Hex): Hex => `0x${text.slice(2).toUpperCase()}`;
  const { statement } = certificate;
  const same = { ...statement, genesis: upper(statement.genesis), outcome: upper(statement.outcome) };
  const shown = { ...proof, receiptsRoot: upper(proof.receiptsRoot) };
  assert.equal(await verdict(set, { ...certificate, statement: same }, shown), "Valid");
});
