// Keeps `artifacts/` true: ABI and bytecode of what other rooms deploy or call. They are committed, so that building
// the node needs no Node.js. `write` updates them, `check` fails if they are not what the sources give.
import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

const root = join(dirname(fileURLToPath(import.meta.url)), "..");
const contracts = [
  "Router", "RouterItems", "RouterDeposits", "IRouter", "IDeposits", "Mirror", "IMirror", "MirrorProxy", "MirrorProxySmall", "ICallbacks", "WrappedVara",
  "Middleware", "MiddlewareMembers", "IMiddleware", "ERC1967Proxy", "CounterAbi", "CounterCaller",
  "ReceiptVerifier", "CounterReader",
];

// The Router runs RouterItems on itself, so whoever calls the Router may meet its errors. What it has no function for it
// gives to RouterDeposits, the Middleware to MiddlewareMembers, so whoever calls them may call those.
const parts = {
  Router: [
    { part: "RouterItems", types: ["error"] },
    { part: "RouterDeposits", types: ["function", "event", "error"] },
  ],
  Middleware: [{ part: "MiddlewareMembers", types: ["function", "event", "error"] }],
};
const load = (name) => JSON.parse(readFileSync(join(root, "out", `${name}.sol`, `${name}.json`), "utf8"));
const keyOf = ({ type, name, inputs }) => `${type} ${name}(${(inputs ?? []).map((input) => input.type).join(",")})`;

function abiOf(name) {
  const { abi } = load(name);
  if (!(name in parts)) return abi;
  // The part names the parameters of what both have.
  return parts[name].reduce((all, { part, types }) => {
    const added = load(part).abi.filter(({ type }) => types.includes(type));
    const keys = new Set(added.map(keyOf));
    return [...all.filter((entry) => entry.type === "constructor" || !keys.has(keyOf(entry))), ...added];
  }, abi);
}

const mode = process.argv[2];
if (mode !== "write" && mode !== "check") {
  console.error("usage: node scripts/artifacts.mjs write|check");
  process.exit(2);
}
mkdirSync(join(root, "artifacts"), { recursive: true });
const stale = [];
for (const name of contracts) {
  const bytecode = load(name).bytecode.object;
  const text = JSON.stringify({ contract: name, abi: abiOf(name), bytecode }, null, 1) + "\n";
  const file = join(root, "artifacts", `${name}.json`);
  if (mode === "write") {
    writeFileSync(file, text);
    continue;
  }
  let committed = "";
  try {
    committed = readFileSync(file, "utf8");
  } catch {
    // A missing file is a stale one.
  }
  if (committed !== text) stale.push(name);
}
if (stale.length > 0) {
  console.error(`artifacts differ from the sources: ${stale.join(", ")}. Run: npm --prefix contracts run build`);
  process.exit(1);
}
console.log(`${contracts.length} artifacts ${mode === "write" ? "written" : "match the sources"}`);
