// Keeps `artifacts/` true: ABI and bytecode of what other rooms deploy or call. They are committed, so that building
// the node needs no Node.js. `write` updates them, `check` fails if they are not what the sources give.
import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

const root = join(dirname(fileURLToPath(import.meta.url)), "..");
const contracts = [
  "Router", "IRouter", "Mirror", "IMirror", "MirrorProxy", "MirrorProxySmall", "ICallbacks", "WrappedVara",
  "ERC1967Proxy", "CounterCaller",
];

const mode = process.argv[2];
if (mode !== "write" && mode !== "check") {
  console.error("usage: node scripts/artifacts.mjs write|check");
  process.exit(2);
}
mkdirSync(join(root, "artifacts"), { recursive: true });
const stale = [];
for (const name of contracts) {
  const built = JSON.parse(readFileSync(join(root, "out", `${name}.sol`, `${name}.json`), "utf8"));
  const text = JSON.stringify({ contract: name, abi: built.abi, bytecode: built.bytecode.object }, null, 1) + "\n";
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
