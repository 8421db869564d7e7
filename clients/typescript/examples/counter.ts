import { Client, readValidatorSet, verifyCertified } from "@gear-exe/client";
import { createPublicClient, decodeAbiParameters, encodeFunctionData, http, parseAbi } from "viem";
import { privateKeyToAccount } from "viem/accounts";

const { NODE, ETHEREUM, ROUTER, PROGRAM, KEY } = process.env as Record<string, `0x${string}`>;

// Whom to believe: the validators that the Router holds, as your own Ethereum node says.
const ethereum = createPublicClient({ transport: http(ETHEREUM) });
const validators = await readValidatorSet(ethereum, ROUTER!);

// Sign and send. The wallet is asked to sign typed data; nothing is sent to Ethereum, and it costs the user nothing.
const client = await Client.connect(NODE!, { chainId: validators.chainId, router: ROUTER! });
const abi = parseAbi(["function counterAdd(bool callReply, uint32 amount)"]);
const payload = encodeFunctionData({ abi, args: [false, 5] });
const { id } = await client.send({ destination: PROGRAM!, payload }, privateKeyToAccount(KEY!));
console.log(`sent ${id}`);

// Watch its life.
let proof;
for await (const event of client.watch(id)) {
  console.log(event.level, event.at?.toISOString() ?? "");
  if (event.level === "executed") proof = event.proof;
  if (event.level === "superseded") proof = undefined;
  if (event.level === "purged") console.log(`it will never be executed: ${event.message}`);
  if (event.level !== "certified" || !event.certificate || !proof) continue;

  // Believe nobody: the receipt, its proof and the certificate are checked here, without asking anybody.
  await verifyCertified({ id, proof, certificate: event.certificate }, validators);
  const reply = await client.reply(proof);
  if (reply) console.log(`the counter is at ${decodeAbiParameters([{ type: "uint32" }], reply.payload)[0]}`);
}
await client.close();
