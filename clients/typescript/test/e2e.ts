// What a dApp does, against a network of four validators: `tests/tests/end_to_end/typescript.rs` starts it and runs this, with where
// everything is as JSON in the first argument.
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { connect, createServer } from "node:net";
import type { AddressInfo, Socket } from "node:net";
import {
  BaseError,
  ContractFunctionRevertedError,
  createPublicClient,
  createWalletClient,
  decodeAbiParameters,
  encodeFunctionData,
  http,
  keccak256,
  numberToHex,
  parseAbi,
  toHex,
} from "viem";
import type { Abi, Address, Hex, PublicClient } from "viem";
import { generatePrivateKey, privateKeyToAccount } from "viem/accounts";
import {
  Client,
  isCanonical,
  PROOF_STRUCTS,
  proofArguments,
  readValidatorSet,
  RECEIPT_VERIFIER_ABI,
  RefusedError,
  verifyCertified,
  VerifyError,
} from "../src/index.js";
import type { Certificate, Certified, Eip1193Provider, LifeEvent, ReceiptProof, ValidatorSet } from "../src/index.js";

interface Config {
  /** The node, over WebSocket, and the Ethereum node, over HTTP. */
  node: string;
  ethereum: string;
  router: Address;
  /** The program `counter`, at 0. */
  counter: Address;
  /** Key of an account with ETH. */
  payer: Hex;
}

const config = JSON.parse(process.argv[2] ?? "{}") as Config;
const COUNTER = parseAbi(["function counterAdd(bool callReply, uint32 value)"]);
const READER = parseAbi([
  ...PROOF_STRUCTS,
  "function take(RoundStatement statement, bytes signers, bytes signatures, ReceiptProof proof, bytes reply)",
  "function value() view returns (uint32)",
  "function taken(bytes32 messageId) view returns (bool)",
  "error AlreadyTaken(bytes32 messageId)",
  "error NotTheReply()",
  "error NotTheProgram(bytes32 programId)",
  "error NotInRound()",
]);

const ethereum: PublicClient = createPublicClient({ transport: http(config.ethereum), pollingInterval: 100 });
const user = privateKeyToAccount(generatePrivateKey());

function add(value: number): Hex {
  return encodeFunctionData({ abi: COUNTER, args: [false, value] });
}

function counted(payload: Hex): number {
  return decodeAbiParameters([{ type: "uint32" }], payload)[0];
}

/** A way to the node that can be cut. */
async function cuttable(url: string): Promise<{ url: string; cut: () => void; cuts: () => number; close: () => void }> {
  const target = new URL(url);
  const sockets = new Set<Socket>();
  let cuts = 0;
  const server = createServer((incoming) => {
    const outgoing = connect(Number(target.port), target.hostname);
    // As a proxy does: the node answers under its own name only.
    incoming.once("data", (first: Buffer) => {
      outgoing.write(first.toString("latin1").replace(/^host:.*$/im, `Host: ${target.host}`), "latin1");
      incoming.pipe(outgoing);
    });
    outgoing.pipe(incoming);
    for (const [one, other] of [
      [incoming, outgoing],
      [outgoing, incoming],
    ] as const) {
      sockets.add(one);
      one.on("error", () => other.destroy());
      one.on("close", () => {
        sockets.delete(one);
        other.destroy();
      });
    }
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const cut = () => {
    cuts += 1;
    sockets.forEach((socket) => socket.destroy());
  };
  return {
    url: `ws://127.0.0.1:${(server.address() as AddressInfo).port}`,
    cut,
    cuts: () => cuts,
    close: () => {
      server.close();
      cut();
    },
  };
}

/** Signed by an account of viem as typed data, verified, and followed to its end over a connection that breaks at every step. */
async function life(set: ValidatorSet): Promise<Certified> {
  const way = await cuttable(config.node);
  const client = await Client.connect(way.url, { chainId: set.chainId, router: config.router });
  const signed = await client.send({ destination: config.counter, payload: add(5) }, user);
  const events: LifeEvent[] = [];
  for await (const event of client.watch(signed.id)) {
    events.push(event);
    way.cut();
  }
  const levels = events.map(({ level }) => level);
  assert.deepEqual(levels, ["waiting", "executed", "certified", "finalized", "committed", "settled"]);
  assert(way.cuts() >= levels.length);
  const times = events.map(({ level, at }) => `${level} ${at && events[0]?.at ? at.getTime() - events[0].at.getTime() : "?"} ms`);
  console.log(`a message's life over ${way.cuts()} broken connections: ${times.join(", ")}`);

  const executed = events.find((event) => event.level === "executed");
  const certified = events.find((event) => event.level === "certified");
  const settled = events.find((event) => event.level === "settled");
  assert(executed?.level === "executed" && certified?.level === "certified" && settled?.level === "settled");
  assert(executed.payload);
  assert.equal(counted(executed.payload), 5);
  assert(settled.batch && settled.batch.lastRound.number >= executed.block.number);
  assert(await isCanonical(ethereum, executed.anchor));
  assert(!(await isCanonical(ethereum, { ...executed.anchor, hash: keccak256("0x") })));

  // After a cursor only what comes after it is told, by any node and any client.
  const rest: string[] = [];
  for await (const event of client.watch(signed.id, { cursor: certified.cursor })) rest.push(event.level);
  assert.deepEqual(rest, ["finalized", "committed", "settled"]);
  // Who has read enough leaves.
  const leave = new AbortController();
  for await (const event of client.watch(signed.id, { signal: leave.signal })) {
    assert.equal(event.level, "waiting");
    leave.abort();
  }

  const status = await client.status(signed.id);
  assert(status?.certificate && status.level === "settled");
  assert.deepEqual(status.proof, executed.proof);
  const proven = { id: signed.id, proof: executed.proof, certificate: certified.certificate ?? status.certificate };
  await verifyCertified(proven, set);
  const reply = await client.reply(executed.proof);
  assert(reply);
  assert.equal(counted(reply.payload), 5);
  await client.close();
  way.close();
  return proven;
}

/** The forms of existing clients, signed by a wallet that is asked as in a browser. */
async function wallet(client: Client, set: ValidatorSet): Promise<void> {
  const provider: Eip1193Provider = {
    async request({ method, params: [first, second] }) {
      if (method === "personal_sign") return user.signMessage({ message: { raw: first as Hex } });
      assert.equal(method, "eth_signTypedData_v4");
      return user.signTypedData(JSON.parse(String(second)) as Parameters<typeof user.signTypedData>[0]);
    },
  };
  let sum = 5;
  for (const form of ["typed", "versioned", "legacy"] as const) {
    const draft = { destination: config.counter, payload: add(1) };
    const signed = await client.send(draft, { provider, address: user.address }, form);
    const { proof } = await client.certified(signed.id, set);
    const reply = await client.reply(proof);
    assert(reply);
    assert.equal(counted(reply.payload), ++sum, form);
  }
}

/** Every refusal has a reason. */
async function refusals(client: Client, set: ValidatorSet): Promise<void> {
  const nowhere = { destination: `0x${"09".repeat(20)}`, payload: "0x" } as const;
  const refused = await client.send(nowhere, user).catch((error: unknown) => error);
  assert(refused instanceof RefusedError, String(refused));
  assert.equal(refused.reason, "there is no program with this address");
  await assert.rejects(client.certified(refused.id, set), RefusedError);
}

/** What is changed in a proof, and how both verifiers name it. */
function tampered(certificate: Certificate, proof: ReceiptProof): [Certificate, ReceiptProof, string, string][] {
  const [one] = certificate.signatures;
  assert(one);
  const { statement } = certificate;
  const { receipt } = proof;
  const other = keccak256("0x01");
  const seen = BigInt(certificate.signers);
  return [
    [{ ...certificate, statement: { ...statement, genesis: other } }, proof, "Genesis", "InvalidGenesis"],
    [{ ...certificate, statement: { ...statement, setId: statement.setId + 1n } }, proof, "Set", "InvalidSet"],
    [{ ...certificate, statement: { ...statement, outcome: other } }, proof, "NotTheMember", "InvalidSignature"],
    [{ ...certificate, statement: { ...statement, anchorHash: other } }, proof, "NotTheMember", "InvalidSignature"],
    [{ ...certificate, signatures: [...certificate.signatures, one] }, proof, "Signatures", "InvalidSignaturesLength"],
    [{ ...certificate, signers: `${certificate.signers}00` }, proof, "Signers", "TrailingZeroByte"],
    [{ ...certificate, signers: numberToHex(seen | 0x80n, { size: 1 }) }, proof, "Signers", "SignerOutOfRange"],
    [{ ...certificate, signers: "0x", signatures: [] }, proof, "Heads", "NotEnoughHeads"],
    [certificate, { ...proof, receipt: { ...receipt, payloadHash: other } }, "NotInRound", "NotInRound"],
    [certificate, { ...proof, receipt: { ...receipt, code: "0x01000300" } }, "NotInRound", "NotInRound"],
    [certificate, { ...proof, receipt: { ...receipt, value: receipt.value + 1n } }, "NotInRound", "NotInRound"],
    [certificate, { ...proof, index: proof.index + 1n }, "NotInRound", "NotInRound"],
    [certificate, { ...proof, count: proof.count + 1n }, "NotInRound", "NotInRound"],
    [certificate, { ...proof, siblings: [...proof.siblings, other] }, "NotInRound", "NotInRound"],
    [certificate, { ...proof, stateRoot: other }, "NotInRound", "NotInRound"],
    [certificate, { ...proof, transitionsHash: other }, "NotInRound", "NotInRound"],
  ];
}

async function offline(set: ValidatorSet, proven: Certified): Promise<void> {
  const { id, proof, certificate } = proven;
  for (const [changed, shown, verdict] of tampered(certificate, proof)) {
    const error = await verifyCertified({ id, proof: shown, certificate: changed }, set).catch((error: unknown) => error);
    assert(error instanceof VerifyError, `${verdict}: ${String(error)}`);
    assert.equal(error.verdict, verdict);
  }
  const [first, ...rest] = set.members;
  assert(first);
  // Not every member has signed.
  const strangers = set.members.map((member) => ({ ...member, address: config.counter }));
  for (const members of [[...rest, first], strangers]) {
    await assert.rejects(verifyCertified(proven, { ...set, members }), VerifyError);
  }
  await assert.rejects(verifyCertified(proven, { ...set, chainId: set.chainId + 1 }), VerifyError);
  await assert.rejects(verifyCertified(proven, { ...set, router: config.counter }), VerifyError);
  await assert.rejects(verifyCertified({ ...proven, id: keccak256("0x") }, set));
}

/** The error by which a contract has refused; none if it has not. */
async function refusal(call: Promise<unknown>): Promise<string | undefined> {
  try {
    await call;
    return undefined;
  } catch (error) {
    const reverted = error instanceof BaseError ? error.walk((cause) => cause instanceof ContractFunctionRevertedError) : null;
    if (reverted instanceof ContractFunctionRevertedError) return reverted.data?.errorName ?? reverted.signature;
    throw error;
  }
}

/** A contract of the dApp takes the same proof, and refuses what the other verifier refuses. */
async function onEthereum({ proof, certificate }: Certified): Promise<void> {
  const payer = privateKeyToAccount(config.payer);
  const sender = createWalletClient({ account: payer, transport: http(config.ethereum) });
  const mined = async (hash: Hex) => {
    const receipt = await ethereum.waitForTransactionReceipt({ hash });
    assert.equal(receipt.status, "success");
    return receipt;
  };
  const deploy = async (name: string, args: readonly unknown[]): Promise<Address> => {
    const path = new URL(`../../../../contracts/artifacts/${name}.json`, import.meta.url);
    const { abi, bytecode } = JSON.parse(readFileSync(path, "utf8")) as { abi: Abi; bytecode: Hex };
    const { contractAddress } = await mined(await sender.deployContract({ abi, bytecode, args, chain: null }));
    assert(contractAddress);
    return contractAddress;
  };
  const verifier = await deploy("ReceiptVerifier", [config.router]);
  const reader = await deploy("CounterReader", [verifier, config.counter]);

  const check = { address: verifier, abi: RECEIPT_VERIFIER_ABI, functionName: "verifyOffBranch" } as const;
  await ethereum.readContract({ ...check, args: proofArguments(certificate, proof) });
  for (const [changed, shown, , name] of tampered(certificate, proof)) {
    const call = ethereum.readContract({ ...check, args: proofArguments(changed, shown) });
    assert.equal(await refusal(call), name);
  }
  // With the anchor, as a transaction sees it.
  const whole = { ...check, functionName: "verify" } as const;
  await ethereum.readContract({ ...whole, args: proofArguments(certificate, proof) });
  const uncle = { ...certificate, statement: { ...certificate.statement, anchorHash: keccak256("0x") } };
  const call = ethereum.readContract({ ...whole, args: proofArguments(uncle, proof) });
  assert.equal(await refusal(call), "AnchorNotAncestor");

  const reply = toHex(5, { size: 32 });
  const take = { address: reader, abi: READER, functionName: "take", account: payer } as const;
  const args = proofArguments(certificate, proof);
  const wrong = ethereum.simulateContract({ ...take, args: [...args, toHex(6, { size: 32 })] });
  assert.equal(await refusal(wrong), "NotTheReply");
  const { gasUsed } = await mined(await sender.writeContract({ ...take, chain: null, args: [...args, reply] }));
  console.log(`a contract has taken the answer, for ${gasUsed} gas`);
  const view = { address: reader, abi: READER } as const;
  assert.equal(await ethereum.readContract({ ...view, functionName: "value" }), 5);
  assert(await ethereum.readContract({ ...view, functionName: "taken", args: [proof.receipt.messageId] }));
  assert.equal(await refusal(ethereum.simulateContract({ ...take, args: [...args, reply] })), "AlreadyTaken");
}

const set = await readValidatorSet(ethereum, config.router);
assert.equal(set.members.length, 4);
const proven = await life(set);
await offline(set, proven);
console.log(`verified offline: ${proven.certificate.signatures.length} signatures of ${set.members.length}`);
await onEthereum(proven);
const client = await Client.connect(config.node, { chainId: set.chainId });
assert.equal(client.at.router.toLowerCase(), config.router.toLowerCase());
await wallet(client, set);
await refusals(client, set);
await client.close();
console.log("the client has done what a dApp does");
