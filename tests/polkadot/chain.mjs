// What the scripts share: a connection to the node, transactions that are waited for, eras that are waited for, and what
// referenda need.
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
          reject(new Error(this.errorName(dispatchError)));
        })
        .catch(reject);
    });
  }

  // An error as people know it: `pallet.Error`.
  errorName(error) {
    if (!error.isModule) return error.toString();
    const { section, name: known } = this.api.registry.findMetaError(error.asModule);
    return `${section}.${known}`;
  }

  // That `call` fails, with this error.
  fails(call, who, error) {
    return fails(name(call), this.send(call, who), error);
  }

  // As root, through the development network's sudo.
  async sudo(call) {
    const events = await this.send(this.api.tx.sudo.sudo(call), this.alice);
    const done = events.find((event) => this.api.events.sudo.Sudid.is(event));
    check(done, `${name(call)} was called as root`);
    if (done.data[0].isErr) throw new Error(this.errorName(done.data[0].asErr));
    return events;
  }

  // That `call` fails as root, with this error.
  sudoFails(call, error) {
    return fails(`${name(call)} as root`, this.sudo(call), error);
  }

  // Proposes `call` on the track of `origin`, and pays and votes for it with most of all VARA. Returns the referendum.
  async propose(origin, call) {
    const { convictionVoting, preimage, referenda } = this.api.tx;
    const { alice, bob, charlie, dave, eve, ferdie } = this;
    const noted = preimage.notePreimage(call.method.toHex());
    const lookup = { Lookup: { hash: call.method.hash.toHex(), len: call.method.encodedLength } };
    const events = await this.send(
      this.api.tx.utility.batchAll([noted, referenda.submit({ Origins: origin }, lookup, { After: 0 })]),
      alice,
    );
    const index = events.find((event) => this.api.events.referenda.Submitted.is(event)).data[0].toNumber();
    await this.send(referenda.placeDecisionDeposit(index), bob);
    const aye = { Standard: { vote: { aye: true, conviction: "Locked1x" }, balance: 800_000n * UNITS } };
    const voters = [alice, bob, charlie, dave, eve, ferdie];
    await Promise.all(voters.map((who) => this.send(convictionVoting.vote(index, aye), who)));
    return index;
  }

  approved(index) {
    return this.until(`the approval of referendum ${index}`, async () =>
      (await this.api.query.referenda.referendumInfoFor(index)).unwrap().isApproved);
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

  // Reads every block from the first one on: all events, and all errors in them, must decode. Returns how many of each
  // kind there were, and the events of which `wanted` is true.
  async history(wanted = () => false) {
    const { api, provider } = this;
    const last = (await api.rpc.chain.getHeader()).number.toNumber();
    const key = api.query.system.events.key();
    const events = new Map();
    const errors = new Map();
    const found = [];
    const count = (kinds, kind) => kinds.set(kind, (kinds.get(kind) ?? 0) + 1);
    const read = async (number) => {
      const hash = await provider.send("chain_getBlockHash", [number]);
      const bytes = await provider.send("state_getStorage", [key, hash]);
      const records = api.registry.createType("Vec<FrameSystemEventRecord>", bytes);
      // Nothing left over, and nothing left out.
      equal(records.toHex(), bytes);
      check(records.length > 0, `block ${number} has events`);
      for (const { event } of records) {
        count(events, `${event.section}.${event.method}`);
        event.toHuman();
        for (const error of dispatchErrors(event.data)) count(errors, this.errorName(error));
        if (wanted(event)) found.push({ number, event });
      }
    };
    const AT_A_TIME = 16;
    for (let first = 1; first <= last; first += AT_A_TIME) {
      const numbers = Array.from({ length: Math.min(AT_A_TIME, last - first + 1) }, (_, step) => first + step);
      await Promise.all(numbers.map(read));
    }
    for (const kind of this.kinds) check(events.has(kind), `${kind} is in a block`);
    return { blocks: last, events, errors, found };
  }
}

// The errors that an event tells of: that of a transaction, or of a call within one.
function dispatchErrors(data) {
  return data.flatMap((item) => {
    if (item.isErr) return dispatchErrors([item.asErr]);
    return item.isModule !== undefined && item.isBadOrigin !== undefined ? [item] : [];
  });
}

async function fails(what, sent, error) {
  let failure;
  try {
    await sent;
  } catch (caught) {
    failure = caught;
  }
  if (!failure) throw new Error(`${what} did not fail`);
  equal(failure.message, error);
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
