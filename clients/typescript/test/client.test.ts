// What the client does with a node that breaks off, errs, or answers nonsense. What it does with real ones is `e2e.ts`.
import assert from "node:assert/strict";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { after, test } from "node:test";
import type { TestContext } from "node:test";
import { privateKeyToAccount } from "viem/accounts";
import { WebSocket, WebSocketServer } from "ws";
import { Client, ConnectionError, ProtocolError, RefusedError, RpcError, TimeoutError } from "../src/index.js";
import type { LifeEvent } from "../src/index.js";

const ID = `0x${"11".repeat(32)}` as const;
const HASH = `0x${"22".repeat(32)}` as const;

interface Request {
  id: number;
  method: string;
  params: unknown[];
}

interface Peer {
  answer(result: unknown): void;
  refuse(error: unknown): void;
  tell(result: unknown): void;
  end(error: unknown): void;
  raw(text: string): void;
  /** Answers and tells in one packet, as a busy node's network does. */
  both(subscription: number, ...results: unknown[]): void;
  drop(): void;
}

const servers = new Set<WebSocketServer>();
after(() => servers.forEach((server) => server.close()));

/** A node with this behaviour; what it was asked is kept. */
async function node(behave: (request: Request, peer: Peer, count: number) => void) {
  const server = new WebSocketServer({ host: "127.0.0.1", port: 0 });
  servers.add(server);
  const asked: Request[] = [];
  server.on("connection", (socket) => {
    socket.on("message", (data) => {
      const request = JSON.parse(String(data)) as Request;
      asked.push(request);
      const send = (message: object) => socket.send(JSON.stringify({ jsonrpc: "2.0", ...message }));
      const params = (content: object) => send({ method: "gear_message", params: { subscription: 7, ...content } });
      behave(
        request,
        {
          answer: (result) => send({ id: request.id, result }),
          refuse: (error) => send({ id: request.id, error }),
          tell: (result) => params({ result }),
          end: (error) => params({ error }),
          raw: (text) => socket.send(text),
          both: (subscription, ...results) => {
            send({ id: request.id, result: subscription });
            results.forEach((result) => params({ result }));
          },
          drop: () => socket.terminate(),
        },
        asked.length,
      );
    });
  });
  await new Promise<void>((resolve) => server.on("listening", resolve));
  const stop = () => {
    server.clients.forEach((socket: WebSocket) => socket.terminate());
    server.close();
  };
  return { url: `ws://127.0.0.1:${server.address().port}`, asked, stop };
}

async function client(t: TestContext, url: string, options: { timeout?: number; patience?: number } = {}) {
  const made = await Client.connect(url, { chainId: 1, router: `0x${"33".repeat(20)}`, ...options });
  t.after(() => made.close());
  return made;
}

async function all(events: AsyncIterable<LifeEvent>): Promise<string[]> {
  const levels = [];
  for await (const event of events) levels.push(event.level);
  return levels;
}

const step = (level: string, more: object = {}) => ({ cursor: level, level, at: 1_800_000_000_000, ...more });

test("a watch goes on after its cursor", async (t) => {
  const { url, asked } = await node((request, peer) => {
    switch (request.params[1]) {
      case undefined:
        peer.both(7, step("waiting"));
        return peer.drop();
      case "waiting":
        peer.both(7, step("certified", { certificate: null }), step("finalized"));
        return peer.end({ code: 8000, message: "Internal error", data: "too slow" });
      default:
        return peer.both(7, step("new-level"), step("committed", { batch: null }), step("settled", { batch: null }));
    }
  });
  const levels = await all((await client(t, url)).watch(ID));
  assert.deepEqual(levels, ["waiting", "certified", "finalized", "committed", "settled"]);
  const subscribed = asked.filter(({ method }) => method === "gear_subscribeMessage").map(({ params }) => params);
  assert.deepEqual(subscribed, [[ID], [ID, "waiting"], [ID, "finalized"]]);
});

test("who leaves a watch unsubscribes", async (t) => {
  let unsubscribed: (value: unknown) => void = () => {};
  const told = new Promise((resolve) => (unsubscribed = resolve));
  const { url } = await node((request, peer) => {
    if (request.method === "gear_subscribeMessage") return peer.both(7, step("waiting"));
    peer.answer(true);
    unsubscribed([request.method, request.params]);
  });
  for await (const event of (await client(t, url)).watch(ID)) {
    assert.equal(event.level, "waiting");
    assert.equal(event.at?.getTime(), 1_800_000_000_000);
    break;
  }
  assert.deepEqual(await told, ["gear_unsubscribeMessage", [7]]);
});

test("an abort ends a watch that waits", async (t) => {
  const { url } = await node((_, peer) => peer.both(7, step("waiting")));
  const abort = new AbortController();
  const levels = [];
  for await (const { level } of (await client(t, url)).watch(ID, { signal: abort.signal })) {
    levels.push(level);
    setImmediate(() => abort.abort());
  }
  assert.deepEqual(levels, ["waiting"]);
});

test("a node that refuses to be watched says why", async (t) => {
  const { url } = await node((_, peer) => peer.refuse({ code: -32602, message: "Invalid params", data: "message_id" }));
  await assert.rejects(all((await client(t, url)).watch(ID)), (error) => {
    assert(error instanceof RpcError);
    assert.equal(error.code, -32602);
    assert.match(error.message, /message_id/);
    return true;
  });
});

test("a node that stays away ends a watch", async (t) => {
  const { url, stop } = await node((_, peer) => peer.both(7, step("waiting")));
  const events = (await client(t, url, { patience: 300 })).watch(ID);
  assert.equal((await events.next()).value?.level, "waiting");
  stop();
  await assert.rejects(events.next(), ConnectionError);
  await assert.rejects(Client.connect(url, { chainId: 1 }), ConnectionError);
});

test("a node that is silent is not waited for", async (t) => {
  const { url } = await node(() => {});
  const silent = await client(t, url, { timeout: 20_000 });
  t.mock.timers.enable({ apis: ["setTimeout"] });
  const refused = assert.rejects(silent.status(ID), TimeoutError);
  await new Promise(setImmediate);
  t.mock.timers.tick(20_000);
  await refused;
});

test("what is no answer is named", async (t) => {
  const answers: unknown[] = [
    7,
    {},
    { level: "better", block: { number: 1, hash: HASH } },
    { level: "executed", block: { number: 1.5, hash: HASH } },
    { level: "executed", block: { number: 1, hash: "0x12" } },
    { level: "executed", block: { number: 1, hash: HASH }, anchor: { number: "12x", hash: HASH } },
  ];
  const { url } = await node((_, peer, count) => peer.answer(answers[count - 1]));
  const asking = await client(t, url);
  for (const answer of answers) await assert.rejects(asking.status(ID), ProtocolError, JSON.stringify(answer));
  const strange = await node((_, peer) => peer.both(7, { level: "waiting" }));
  await assert.rejects(all((await client(t, strange.url)).watch(ID)), ProtocolError);
});

test("no JSON breaks the connection, and the next call makes it anew", async (t) => {
  const { url } = await node((_, peer, count) => (count === 1 ? peer.raw("{") : peer.answer(null)));
  const asking = await client(t, url);
  await assert.rejects(asking.status(ID), ConnectionError);
  assert.equal(await asking.status(ID), null);
});

test("who is not let in learns why", async (t) => {
  const server = createServer((_, response) => response.writeHead(403).end());
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  t.after(() => server.close());
  const { port } = server.address() as AddressInfo;
  const refused = Client.connect(`ws://127.0.0.1:${port}`, { chainId: 1 });
  await assert.rejects(refused, (error) => error instanceof ConnectionError && error.message.includes("403"));
});

test("a refusal has its reason", async (t) => {
  const { url } = await node((request, peer) => {
    assert.equal(request.method, "injected_sendTransaction");
    peer.answer({ Reject: { reason: "the pool is full" } });
  });
  const message = { destination: HASH, payload: "0x", value: 0n, referenceBlock: HASH, salt: "0x" } as const;
  const signed = { message, form: "typed", source: HASH, signature: "0x", id: ID } as const;
  await assert.rejects((await client(t, url)).submit(signed), (error) => {
    assert(error instanceof RefusedError);
    assert.equal(error.reason, "the pool is full");
    return true;
  });
});

test("value goes out as the user signed it, and a deposit is read whole", async (t) => {
  const { url, asked } = await node((request, peer) =>
    peer.answer(
      request.method === "gear_deposit" ? { address: HASH, value: "123456789012345678901", block: null } : "Accept",
    ),
  );
  const sending = await client(t, url);
  const address = `0x${"44".repeat(20)}` as const;
  assert.equal(await sending.deposit(address), 123456789012345678901n);
  assert.deepEqual(asked[0]?.params, [address]);
  const value = 10n ** 18n;
  const draft = { destination: address, payload: "0x01", value, referenceBlock: HASH } as const;
  const signed = await sending.send(draft, privateKeyToAccount(`0x${"42".repeat(32)}`));
  assert.equal(signed.message.value, value);
  const sent = asked[1]?.params[0] as { data: { value: string } };
  assert.equal(BigInt(sent.data.value), value);
});

test("a closed client does not come back", async (t) => {
  const { url } = await node((_, peer) => peer.answer(null));
  const closed = await client(t, url);
  const waiting = closed.status(ID);
  await waiting;
  await closed.close();
  await assert.rejects(closed.status(ID), ConnectionError);
  await assert.rejects(all(closed.watch(ID)), ConnectionError);
});
