// Drives a development node as polkadot.js Apps does, by the same library: `node run.mjs ws://127.0.0.1:9944`.
import { Chain } from "./chain.mjs";
import { governance } from "./governance.mjs";
import { pages } from "./pages.mjs";
import { staking } from "./staking.mjs";

const url = process.argv[2];
if (!url) {
  console.error("usage: node run.mjs ws://HOST:PORT");
  process.exit(2);
}
const chain = await Chain.connect(url);
await pages(chain);
await staking(chain);
await governance(chain);
console.log(`events: ${chain.kinds.size} kinds seen and decoded`);
await chain.close();
