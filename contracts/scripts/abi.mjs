// Checks that the committed ABIs have what existing clients use: functions, events and errors of `test/abi/clients.json`,
// by name and types, on which selectors and topics depend. What is left out on purpose is listed there with its reason.
import { readFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

const root = join(dirname(fileURLToPath(import.meta.url)), "..");
const read = (...path) => JSON.parse(readFileSync(join(root, ...path), "utf8"));
const abiOf = (name) => read("artifacts", `${name}.json`).abi;

const typeOf = (parameter) =>
  parameter.type.startsWith("tuple")
    ? `(${parameter.components.map(typeOf).join(",")})${parameter.type.slice("tuple".length)}`
    : parameter.type;
const typesOf = (parameters) => parameters.map(typeOf).join(",");

// For whoever calls, a function that reads nothing is a view.
const describe = {
  function: (entry) =>
    `${entry.name}(${typesOf(entry.inputs)}) ${entry.stateMutability.replace("pure", "view")}` +
    (entry.outputs.length > 0 ? ` returns (${typesOf(entry.outputs)})` : ""),
  event: (entry) =>
    `${entry.name}(${entry.inputs.map((input) => typeOf(input) + (input.indexed ? " indexed" : "")).join(",")})`,
  error: (entry) => `${entry.name}(${typesOf(entry.inputs)})`,
};
const entries = (abi, kind) => new Set(abi.filter(({ type }) => type === kind).map(describe[kind]));

const problems = [];
let found = 0;
for (const [contract, wanted] of Object.entries(read("test", "abi", "clients.json"))) {
  const abi = abiOf(contract);
  const all = new Set();
  for (const kind of Object.keys(describe)) {
    const present = entries(abi, kind);
    present.forEach((entry) => all.add(entry));
    for (const entry of wanted[`${kind}s`]) {
      const same = entry.replace(" pure", " view");
      if (present.has(same)) found += 1;
      else problems.push(`${contract} lacks the ${kind} ${entry}`);
    }
  }
  for (const { reason, entries: leftOut } of wanted.leftOut) {
    if (!reason) problems.push(`${contract}: entries are left out for no reason`);
    for (const entry of leftOut) {
      if (all.has(entry)) problems.push(`${contract} has ${entry}, which is listed as left out`);
    }
  }
}

// Wallets and explorers see a program by its proxy: that must declare each method that users send.
const methods = (name) =>
  abiOf(name)
    .filter((entry) => entry.type === "function" && !["view", "pure"].includes(entry.stateMutability))
    .map((entry) => [`${entry.name}(${typesOf(entry.inputs)})`, entry.stateMutability]);
const declared = new Map(methods("MirrorProxy"));
const byRouter = ["initialize", "initializeByProgram", "noteExecutableBalance", "returnValue", "performStateTransition"];
for (const [method, mutability] of methods("Mirror")) {
  if (byRouter.includes(method.split("(")[0])) continue;
  if (declared.get(method) !== mutability) problems.push(`MirrorProxy does not declare ${method} ${mutability}`);
  else found += 1;
}

if (problems.length > 0) {
  console.error(problems.join("\n"));
  process.exit(1);
}
console.log(`${found} entries that clients use are in the committed ABIs`);
