// What the scripts share: a connection to the node, transactions that are waited for, eras that are waited for.
import { ApiPromise, Keyring, WsProvider } from "@polkadot/api";

export const UNITS = 1_000_000_000_000n;

export class Chain {
  static async connect(url) {
    const provider = new WsProvider(url, 500);
    const chain = new Chain();
    chain.provider = provider;
    // What it does not know, it says as a warning: `AuthorizeCall` and `WeightReclaim` have no bytes.
    chain.api = await ApiPromise.create({ provider, noInitWarn: true });
    const ring = new Keyring({ type: "sr25519", ss58Format: chain.api.registry.chainSS58 });
    for (const name of ["Alice", "Bob", "Charlie", "Dave", "Eve", "Ferdie"]) {
      chain[name.toLowerCase()] = ring.addFromUri(`//${name}`);
    }
    chain.kinds = new Set();
    // Every event of every block must decode; a block in which one does not ends the test.
    chain.watching = await chain.api.query.system.events((events) => {
      for (const { event } of events) {
        chain.kinds.add(`${event.section}.${event.method}`);
        event.toHuman();
      }
    });
    return chain;
  }

  async close() {
    this.watching();
    await this.api.disconnect();
  }

  // Sends `call`, waits until it is in a block, and returns its events; an error by its name if it fails.
  send(call, who) {
    return new Promise((resolve, reject) => {
      call
        .signAndSend(who, { nonce: -1 }, ({ status, events, dispatchError, isError }) => {
          if (isError) reject(new Error(`${name(call)}: ${status.type}`));
          if (!status.isInBlock) return;
          if (!dispatchError) return resolve(events.map(({ event }) => event));
          if (!dispatchError.isModule) return reject(new Error(dispatchError.toString()));
          const { section, name: error } = this.api.registry.findMetaError(dispatchError.asModule);
          reject(new Error(`${section}.${error}`));
        })
        .catch(reject);
    });
  }

  // That `call` fails, with this error.
  async fails(call, who, error) {
    try {
      await this.send(call, who);
    } catch (failure) {
      equal(failure.message, error);
      return;
    }
    throw new Error(`${name(call)} did not fail`);
  }

  // As root, through the development network's sudo.
  async sudo(call) {
    const events = await this.send(this.api.tx.sudo.sudo(call), this.alice);
    const done = events.find((event) => this.api.events.sudo.Sudid.is(event));
    if (!done || done.data[0].isErr) throw new Error(`${name(call)} as root: ${done?.data[0]}`);
    return events;
  }

  // Waits until what is asked for at every new block is there, and returns it.
  until(what, ask) {
    return new Promise((resolve, reject) => {
      let stop = () => {};
      let blocks = 0;
      let busy = false;
      const look = async () => {
        if (busy) return;
        busy = true;
        try {
          blocks += 1;
          const answer = await ask();
          if (answer || blocks > 2_000) {
            stop();
            answer ? resolve(answer) : reject(new Error(`${what}: not within 2,000 blocks`));
          }
        } catch (failure) {
          stop();
          reject(failure);
        }
        busy = false;
      };
      this.api.rpc.chain.subscribeNewHeads(look).then((unsubscribe) => {
        stop = unsubscribe;
      }, reject);
    });
  }

  async era() {
    return (await this.api.query.staking.activeEra()).unwrap().index.toNumber();
  }

  async nextEra() {
    const before = await this.era();
    return this.until("the next era", async () => {
      const now = await this.era();
      return now > before && now;
    });
  }

  async free(who) {
    return (await this.api.query.system.account(who.address)).data.free.toBigInt();
  }
}

function name(call) {
  return `${call.method.section}.${call.method.method}`;
}

export function equal(found, expected) {
  const [left, right] = [found, expected].map((value) => JSON.stringify(value, big));
  if (left !== right) throw new Error(`${left} instead of ${right}`);
}

export function check(condition, what) {
  if (!condition) throw new Error(`not so: ${what}`);
}

function big(_, value) {
  return typeof value === "bigint" ? value.toString() : value;
}
