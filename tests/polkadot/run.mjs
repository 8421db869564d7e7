// Drives a development node as polkadot.js Apps does, by the same library: `node run.mjs ws://127.0.0.1:9944`.
import { Chain } from "./chain.mjs";
import { governance } from "./governance.mjs";
import { leave, register } from "./operators.mjs";
import { pages } from "./pages.mjs";
import { slashing } from "./slashing.mjs";
import { staking } from "./staking.mjs";

const url = process.argv[2];
if (!url) {
  console.error("usage: node run.mjs ws://HOST:PORT");
  process.exit(2);
}
const chain = await Chain.connect(url);
await pages(chain);
const operators = await register(chain);
await staking(chain);
await governance(chain);
await slashing(chain);
await leave(chain, operators);

const { blocks, events, errors } = await chain.history();
const seen = [...errors.keys()].sort().join(", ");
console.log(`history: ${blocks} blocks, with events of ${events.size} kinds and errors of ${errors.size} decoded: ${seen}`);
await chain.close();
