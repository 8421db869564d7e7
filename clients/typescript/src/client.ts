// A client of one node: signs and sends native messages, follows them through their life, and verifies what the node says.
// The connection is made anew when it breaks; `watch` goes on where it was.
import { keccak256, toHex } from "viem";
import type { Address, Hex } from "viem";
import { MAX_SALT, sign, toRpc } from "./message.js";
import type { Form, NativeMessage, RouterAddress, SignedMessage, Signer } from "./message.js";
import { Connection, ConnectionError, ProtocolError, RpcError, TimeoutError } from "./rpc.js";
import type { Subscription } from "./rpc.js";
import { readAcceptance, readAddress, readDeposit, readEvent, readHeader, readReply, readStatus } from "./shapes.js";
import type { LifeEvent, Reply, Status } from "./shapes.js";
import { verifyReceipt } from "./verify.js";
import type { Certificate, ReceiptProof, ValidatorSet } from "./verify.js";

export interface Options {
  /** EIP-155 id of the Ethereum chain on which the Router is. */
  readonly chainId: number;
  /** The Router. What a user signs is for it alone, so take it from where you know it; by default the node is asked. */
  readonly router?: Address;
  /** Milliseconds for a connection, and for each answer. */
  readonly timeout?: number;
  /** Milliseconds for which `watch` tries to reach the node again. */
  readonly patience?: number;
}

/** The node has not taken a message, and says why. */
export class RefusedError extends Error {
  override readonly name = "RefusedError";
  constructor(
    readonly id: Hex,
    readonly reason: string,
  ) {
    super(`the node refuses the message: ${reason}`);
  }
}

/** A message without what the client finds out by itself. */
export type Draft = Pick<NativeMessage, "destination" | "payload"> & Partial<NativeMessage>;

export interface WatchOptions {
  /** Of the last event that was read, to go on after it. */
  readonly cursor?: string;
  /** Ends the watch. */
  readonly signal?: AbortSignal;
}

/** First pause before the node is tried again, in milliseconds, and the longest. */
const PAUSES = { first: 100, longest: 5_000 };
/** By so many blocks a reference lies behind the head, so that a reorganisation of Ethereum does not take it away. */
const REFERENCE_DEPTH = 3n;

/** A pause that ends early, without an error, if the signal says so. */
function pause(milliseconds: number, signal: AbortSignal | undefined): Promise<void> {
  return new Promise((resolve) => {
    const end = () => {
      clearTimeout(timer);
      signal?.removeEventListener("abort", end);
      resolve();
    };
    const timer = setTimeout(end, milliseconds);
    signal?.addEventListener("abort", end);
  });
}

/** A client of one node. */
export class Client {
  private connection: Promise<Connection> | undefined;
  private opening: Promise<Connection> | undefined;
  private closed = false;

  private constructor(
    readonly url: string,
    /** Where programs are. */
    readonly at: RouterAddress,
    private readonly timeout: number,
    private readonly patience: number,
  ) {}

  /** Connects to a node (`ws://…`). */
  static async connect(url: string, options: Options): Promise<Client> {
    const { chainId, timeout = 30_000, patience = 60_000 } = options;
    const connection = await Connection.open(url, timeout);
    const router = options.router ?? readAddress(await connection.request("routerAddress", []));
    const client = new Client(url, { chainId, router }, timeout, patience);
    client.connection = Promise.resolve(connection);
    return client;
  }

  /** Closes the connection; everything that waits ends. */
  async close(): Promise<void> {
    this.closed = true;
    const connection = await this.connection?.catch(() => undefined);
    connection?.close();
  }

  /** Calls a method of the node. */
  async request(method: string, params: readonly unknown[]): Promise<unknown> {
    return (await this.connected()).request(method, params);
  }

  /** A recent Ethereum block, by which a message says until when it is good. */
  async referenceBlock(): Promise<Hex> {
    let block = readHeader(await this.request("block_header", []));
    // The chain may be younger than that.
    const depth = block.number < REFERENCE_DEPTH ? block.number : REFERENCE_DEPTH;
    for (let step = 1n; step < depth; step++) block = readHeader(await this.request("block_header", [block.parent]));
    return depth === 0n ? block.hash : block.parent;
  }

  /** Completes a message, has it signed and sends it. */
  async send(draft: Draft, signer: Signer, form: Form = "typed"): Promise<SignedMessage> {
    const message: NativeMessage = {
      value: 0n,
      salt: toHex(crypto.getRandomValues(new Uint8Array(MAX_SALT))),
      ...draft,
      referenceBlock: draft.referenceBlock ?? (await this.referenceBlock()),
    };
    const signed = await sign(this.at, message, signer, form);
    await this.submit(signed);
    return signed;
  }

  /**
   * Sends a signed message. It may be sent again, here and elsewhere: it is executed once. Throws a `RefusedError` if the node says
   * that it will never be executed, or that it cannot take more now.
   */
  async submit(signed: SignedMessage): Promise<void> {
    const reason = readAcceptance(await this.request("injected_sendTransaction", [toRpc(signed)]));
    if (reason !== null) throw new RefusedError(signed.id, reason);
  }

  /**
   * What an address has deposited at the Router for the value of native messages, in wei, as the node's newest round has it. Messages
   * that wait are not taken off it.
   */
  async deposit(address: Address): Promise<bigint> {
    return readDeposit(await this.request("gear_deposit", [address]));
  }

  /** What became of a message; null if it is not known, waits, or ended long ago. */
  async status(id: Hex): Promise<Status | null> {
    return readStatus(await this.request("gear_messageStatus", [id]));
  }

  /**
   * What was replied to a message, if its receipt is this one; null while the node does not have it. Only validators' nodes give it.
   * It is believed by its hash in the receipt, and by nothing that the node says.
   */
  async reply(proof: ReceiptProof): Promise<Reply | null> {
    const { messageId, payloadHash, value, code } = proof.receipt;
    const reply = readReply(await this.request("injected_getTransactionReceipt", [messageId]));
    if (reply === null) return null;
    if (keccak256(reply.payload) !== payloadHash || reply.value !== value || reply.code !== code) {
      throw new ProtocolError("the node says a reply that is not that of the receipt");
    }
    return reply;
  }

  /**
   * The life of a message, native or from Ethereum: first what it has reached, then what happens. Ends after `settled` or `purged`.
   * If the connection breaks, it is made anew, and nothing is told twice. Throws a `ConnectionError` if the node
   * cannot be reached for `patience` milliseconds, an `RpcError` if it refuses.
   */
  async *watch(id: Hex, options: WatchOptions = {}): AsyncGenerator<LifeEvent, void, undefined> {
    const { signal } = options;
    let cursor = options.cursor;
    let wait = PAUSES.first;
    // Since when nothing has come of any try.
    let failing: number | undefined;
    while (!signal?.aborted) {
      let subscription: Subscription | undefined;
      const began = Date.now();
      const end = () => subscription?.close();
      try {
        const connection = await this.connected();
        const params = cursor === undefined ? [id] : [id, cursor];
        subscription = await connection.subscribe("gear_subscribeMessage", params, "gear_unsubscribeMessage");
        signal?.addEventListener("abort", end);
        for (;;) {
          const event = readEvent(await subscription.next());
          if (signal?.aborted) return;
          [wait, failing] = [PAUSES.first, undefined];
          if (event === null) continue;
          cursor = event.cursor;
          yield event;
          if (event.level === "settled" || event.level === "purged") return;
        }
      } catch (error) {
        if (signal?.aborted) return;
        // A subscription that the node has ended, for a reader was too slow, goes on after its cursor.
        const goesOn = isPassing(error) || (error instanceof RpcError && subscription !== undefined);
        if (!goesOn || this.closed) throw error;
        const now = Date.now();
        if (failing === undefined || (subscription && now - began > PAUSES.longest)) failing = now;
        if (now - failing > this.patience) throw error;
        await pause(wait, signal);
        wait = Math.min(wait * 2, PAUSES.longest);
      } finally {
        signal?.removeEventListener("abort", end);
        end();
      }
    }
  }

  /**
   * Follows a message until a quorum of `set` has signed its round, and verifies that. If the receipt is superseded before, the one
   * that replaces it is waited for. Throws a `VerifyError` if the certificate proves nothing, a `RefusedError` if the message is
   * purged.
   */
  async certified(id: Hex, set: ValidatorSet, signal?: AbortSignal): Promise<Certified> {
    let proof: ReceiptProof | undefined;
    for await (const event of this.watch(id, signal ? { signal } : {})) {
      if (event.level === "executed") proof = event.proof;
      if (event.level === "superseded") proof = undefined;
      if (event.level === "purged") throw new RefusedError(id, event.message);
      if (event.level !== "certified" || !proof) continue;
      const certificate = event.certificate ?? (await this.status(id))?.certificate;
      if (!certificate) continue;
      const certified = { id, proof, certificate };
      await verifyCertified(certified, set);
      return certified;
    }
    throw new ConnectionError("the watch has ended before there was a certificate");
  }

  private async connected(): Promise<Connection> {
    const before = await this.connection?.catch(() => undefined);
    if (before?.isOpen) return before;
    if (this.closed) throw new ConnectionError("the client is closed");
    // Who comes at the same time gets the same one.
    this.connection = this.opening ??= Connection.open(this.url, this.timeout).finally(() => (this.opening = undefined));
    return this.connection;
  }
}

/** A message's receipt, and a quorum's signatures on its round. */
export interface Certified {
  readonly id: Hex;
  readonly proof: ReceiptProof;
  readonly certificate: Certificate;
}

/** Verifies offline that the message ended as its receipt says. Throws a `VerifyError` if not. */
export async function verifyCertified({ id, proof, certificate }: Certified, set: ValidatorSet): Promise<void> {
  if (proof.receipt.messageId !== id.toLowerCase()) {
    throw new ProtocolError("the receipt is of another message");
  }
  await verifyReceipt(set, certificate, proof);
}

function isPassing(error: unknown): boolean {
  return error instanceof ConnectionError || error instanceof TimeoutError;
}
