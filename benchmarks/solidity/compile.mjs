// Keeps `bytecode.json` true: the EVM code of the contracts in this folder. It is committed, so that the benchmark needs no
// Node.js. `write` updates it, `check` fails if it is not what the sources give. The compiler is the one of `contracts/`:
// `npm --prefix contracts ci` installs it.
import { readFileSync, writeFileSync } from "node:fs";
import { createRequire } from "node:module";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

const folder = dirname(fileURLToPath(import.meta.url));
const solc = createRequire(join(folder, "..", "..", "contracts", "package.json"))("solc");
const names = ["Counter", "Kernels", "Token"];

const mode = process.argv[2];
if (mode !== "write" && mode !== "check") {
  console.error("usage: node benchmarks/solidity/compile.mjs write|check");
  process.exit(2);
}
const output = JSON.parse(
  solc.compile(
    JSON.stringify({
      language: "Solidity",
      sources: Object.fromEntries(
        names.map((name) => [`${name}.sol`, { content: readFileSync(join(folder, `${name}.sol`), "utf8") }]),
      ),
      settings: {
        evmVersion: "osaka",
        viaIR: true,
        optimizer: { enabled: true, runs: 1_000_000 },
        metadata: { bytecodeHash: "none", appendCBOR: false },
        outputSelection: { "*": { "*": ["evm.deployedBytecode.object"] } },
      },
    }),
  ),
);
const errors = (output.errors ?? []).filter(({ severity }) => severity === "error");
if (errors.length > 0) {
  console.error(errors.map(({ formattedMessage }) => formattedMessage).join("\n"));
  process.exit(1);
}
const code = (name) => output.contracts[`${name}.sol`][name].evm.deployedBytecode.object;
const text =
  JSON.stringify({ solc: solc.version(), ...Object.fromEntries(names.map((name) => [name, code(name)])) }, null, 1) + "\n";
const file = join(folder, "bytecode.json");
if (mode === "write") {
  writeFileSync(file, text);
} else if (readFileSync(file, "utf8") !== text) {
  console.error("bytecode.json differs from the sources. Run: node benchmarks/solidity/compile.mjs write");
  process.exit(1);
}
console.log(`${names.length} contracts ${mode === "write" ? "written" : "match the sources"}`);
