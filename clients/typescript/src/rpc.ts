// JSON-RPC over one WebSocket: requests with their answers, subscriptions with their notifications. It knows nothing of what is
// asked, and does not connect again by itself: client.ts does.
import { WebSocket } from "isows";

/** The node refused a call. */
export class RpcError extends Error {
  override readonly name = "RpcError";
  constructor(
    readonly code: number,
    message: string,
    /** Says what is wrong, and what to do. */
    readonly data: unknown,
  ) {
    super(data === undefined ? message : `${message}: ${typeof data === "string" ? data : JSON.stringify(data)}`);
  }
}

/** The connection is gone, or was never there. What was sent may have arrived. */
export class ConnectionError extends Error {
  override readonly name = "ConnectionError";
}

/** The node did not answer in time. */
export class TimeoutError extends Error {
  override readonly name = "TimeoutError";
}

/** A node's answer is not what it must be. */
export class ProtocolError extends Error {
  override readonly name = "ProtocolError";
}

/** The most notifications that wait for a reader. */
const MAX_WAITING = 1024;

interface Call {
  readonly resolve: (result: unknown) => void;
  readonly reject: (error: Error) => void;
  /** Of a subscription: takes its notifications from the answer on. */
  readonly feed: Feed | undefined;
}

/** Notifications that came and were not read. */
class Feed {
  private readonly waiting: unknown[] = [];
  private end: Error | undefined;
  private wake: (() => void) | undefined;

  push(notification: unknown): void {
    if (this.end) return;
    if (this.waiting.length === MAX_WAITING) {
      this.close(new ConnectionError(`${MAX_WAITING} notifications were not read`));
      return;
    }
    this.waiting.push(notification);
    this.wake?.();
  }

  close(error: Error): void {
    this.end ??= error;
    this.wake?.();
  }

  /** The next one; what came before the end is still given. */
  async next(): Promise<unknown> {
    while (this.waiting.length === 0) {
      if (this.end) throw this.end;
      await new Promise<void>((resolve) => (this.wake = resolve));
    }
    return this.waiting.shift();
  }
}

/** A running subscription. */
export interface Subscription {
  /** The next notification. Throws `RpcError` or `ConnectionError` when there are no more. */
  next(): Promise<unknown>;
  /** Ends it. */
  close(): void;
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null;
}

function toRpcError(error: unknown): Error {
  if (!isObject(error) || typeof error["code"] !== "number" || typeof error["message"] !== "string") {
    return new ProtocolError("an error is an object with code and message");
  }
  return new RpcError(error["code"], error["message"], error["data"]);
}

/** An open WebSocket to a node. */
export class Connection {
  private nextId = 1;
  private readonly calls = new Map<number, Call>();
  private readonly feeds = new Map<string, Feed>();
  private gone: ConnectionError | undefined;

  private constructor(
    private readonly socket: WebSocket,
    private readonly timeout: number,
  ) {
    socket.onmessage = ({ data }) => this.receive(data);
    socket.onclose = ({ code, reason }) => this.lose(`the node has closed the connection (${code}${reason && `: ${reason}`})`);
    socket.onerror = () => this.lose("the connection has failed");
  }

  /** Connects; `timeout` in milliseconds is for this and for every answer. */
  static open(url: string, timeout: number): Promise<Connection> {
    return new Promise((resolve, reject) => {
      const socket = new WebSocket(url);
      const timer = setTimeout(() => {
        socket.onerror = () => {}; // Closing before it is open is an error.
        socket.close();
        reject(new TimeoutError(`${url} does not answer within ${timeout} ms`));
      }, timeout);
      socket.onopen = () => {
        clearTimeout(timer);
        resolve(new Connection(socket, timeout));
      };
      socket.onerror = (event) => {
        clearTimeout(timer);
        // Browsers do not say why.
        const why = "message" in event && event.message ? `: ${String(event.message)}` : "";
        reject(new ConnectionError(`${url} cannot be reached${why}`));
      };
    });
  }

  /** Whether it is still of use. */
  get isOpen(): boolean {
    return this.gone === undefined;
  }

  /** Calls a method. */
  request(method: string, params: readonly unknown[]): Promise<unknown> {
    return this.call(method, params, undefined);
  }

  /** Subscribes; nothing that comes after the answer is lost. */
  async subscribe(method: string, params: readonly unknown[], unsubscribe: string): Promise<Subscription> {
    const feed = new Feed();
    const id = await this.call(method, params, feed).catch((error: unknown) => {
      // An answer that comes after all would be a subscription that nobody reads and nobody ends.
      if (error instanceof TimeoutError) this.close();
      throw error;
    });
    return {
      next: () => feed.next(),
      close: () => {
        feed.close(new ConnectionError("the subscription is closed"));
        if (!this.feeds.delete(String(id)) || this.gone) return;
        // Whether the node still knows it does not matter.
        this.call(unsubscribe, [id], undefined).catch(() => {});
      },
    };
  }

  /** Closes it; all that waits ends. */
  close(): void {
    this.lose("the client has closed the connection");
    this.socket.close();
  }

  private call(method: string, params: readonly unknown[], feed: Feed | undefined): Promise<unknown> {
    return new Promise((resolve, reject) => {
      if (this.gone) {
        reject(this.gone);
        return;
      }
      const id = this.nextId++;
      const timer = setTimeout(() => {
        this.calls.delete(id);
        reject(new TimeoutError(`${method} was not answered within ${this.timeout} ms`));
      }, this.timeout);
      const settle = (call: () => void) => {
        clearTimeout(timer);
        call();
      };
      this.calls.set(id, {
        resolve: (result) => settle(() => resolve(result)),
        reject: (error) => settle(() => reject(error)),
        feed,
      });
      this.socket.send(JSON.stringify({ jsonrpc: "2.0", id, method, params }));
    });
  }

  private receive(data: unknown): void {
    let message: unknown;
    try {
      message = JSON.parse(String(data));
    } catch {
      this.lose("the node sends no JSON");
      this.socket.close();
      return;
    }
    if (!isObject(message)) return;
    if (typeof message["id"] === "number") this.answer(message["id"], message);
    else if (isObject(message["params"])) this.notify(message["params"]);
  }

  private answer(id: number, message: Record<string, unknown>): void {
    const call = this.calls.get(id);
    if (!call) return; // It came too late.
    this.calls.delete(id);
    if ("error" in message) {
      call.reject(toRpcError(message["error"]));
      return;
    }
    // At once: the first notification may be the next thing that is read.
    if (call.feed) this.feeds.set(String(message["result"]), call.feed);
    call.resolve(message["result"]);
  }

  private notify(params: Record<string, unknown>): void {
    const id = String(params["subscription"]);
    const feed = this.feeds.get(id);
    if (!feed) return; // Closed meanwhile.
    if ("error" in params) {
      this.feeds.delete(id);
      feed.close(toRpcError(params["error"]));
    } else {
      feed.push(params["result"]);
    }
  }

  private lose(why: string): void {
    if (this.gone) return;
    this.gone = new ConnectionError(why);
    for (const call of this.calls.values()) call.reject(this.gone);
    for (const feed of this.feeds.values()) feed.close(this.gone);
    this.calls.clear();
    this.feeds.clear();
  }
}
