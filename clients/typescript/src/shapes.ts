// What a node answers, read from JSON into types. Whatever does not fit is a `ProtocolError` that names the field: a client must
// not trust the node that it asks.
import { keccak256, pad } from "viem";
import type { Hex } from "viem";
import { ProtocolError } from "./rpc.js";
import type { Certificate, Receipt, ReceiptProof } from "./verify.js";

/** Number and hash of a block of either chain. */
export interface Block {
  readonly number: bigint;
  readonly hash: Hex;
}

/** A batch that the Router holds. */
export interface Batch {
  readonly nonce: bigint;
  readonly digest: Hex;
  readonly seal: Block;
  readonly lastRound: Block;
}

/** How far a message with a receipt is confirmed. Each level includes those before it. */
export type Level = "executed" | "certified" | "finalized" | "committed" | "settled";

/** The answer of `gear_messageStatus`. */
export interface Status {
  readonly level: Level;
  readonly block: Block;
  /** The Ethereum block up to which the round has taken events. */
  readonly anchor: Block;
  readonly proof: ReceiptProof;
  /** Null if there is none yet. */
  readonly certificate: Certificate | null;
  /** Set from `committed` on. */
  readonly batch: Batch | null;
}

/** What every step of a message's life has. */
interface Step {
  /** `watch` goes on after this step if it is given this. */
  readonly cursor: string;
  /** When the node saw it; null if that was before and is not known. */
  readonly at: Date | null;
}

/** A step in the life of a message. */
export type LifeEvent = Step &
  (
    | { readonly level: "waiting" }
    | {
        readonly level: "executed";
        readonly block: Block;
        readonly anchor: Block;
        readonly proof: ReceiptProof;
        /** What was replied to a native message, as the receipt's hash proves; null for one from Ethereum. */
        readonly payload: Hex | null;
      }
    /** Null if the node knows that there is a certificate, and does not have it. */
    | { readonly level: "certified"; readonly certificate: Certificate | null }
    | { readonly level: "finalized" }
    | { readonly level: "committed" | "settled"; readonly batch: Batch | null }
    /** The receipt in this block counts no more; what replaces it follows. */
    | { readonly level: "superseded"; readonly block: Block }
    | { readonly level: "purged"; readonly reason: number; readonly message: string }
  );

/** What a program has replied, as one validator says; believe it by its hash in a receipt. */
export interface Reply {
  readonly payload: Hex;
  readonly value: bigint;
  readonly code: Hex;
}

/** A place in an answer. */
class Place {
  constructor(
    private readonly value: unknown,
    private readonly path: string,
  ) {}

  private fail(expected: string): never {
    throw new ProtocolError(`the node's ${this.path} is not ${expected}`);
  }

  get isNull(): boolean {
    return this.value === null || this.value === undefined;
  }

  field(name: string): Place {
    if (typeof this.value !== "object" || this.value === null || Array.isArray(this.value)) this.fail("an object");
    return new Place((this.value as Record<string, unknown>)[name], `${this.path}.${name}`);
  }

  list(): Place[] {
    if (!Array.isArray(this.value)) this.fail("a list");
    return this.value.map((entry: unknown, index) => new Place(entry, `${this.path}[${index}]`));
  }

  text(): string {
    return typeof this.value === "string" ? this.value : this.fail("a text");
  }

  hex(bytes?: number): Hex {
    const text = this.text();
    if (!/^0x([0-9a-f]{2})*$/.test(text)) this.fail("bytes in hex");
    if (bytes !== undefined && text.length !== 2 + 2 * bytes) this.fail(`${bytes} bytes`);
    return text as Hex;
  }

  /** A number, or a decimal string beyond what JavaScript's numbers hold. */
  integer(): bigint {
    if (typeof this.value === "number" && Number.isSafeInteger(this.value)) return BigInt(this.value);
    if (typeof this.value === "string" && /^[0-9]{1,39}$/.test(this.value)) return BigInt(this.value);
    return this.fail("a whole number");
  }

  block(): Block {
    return { number: this.field("number").integer(), hash: this.field("hash").hex(32) };
  }

  or<T>(read: (place: Place) => T): T | null {
    return this.isNull ? null : read(this);
  }
}

function readReceipt(at: Place): Receipt {
  return {
    messageId: at.field("message_id").hex(32),
    // A program is written in 20 bytes, anything else in 32.
    programId: pad(at.field("program_id").hex(), { size: 32 }),
    code: at.field("code").hex(4),
    payloadHash: at.field("payload_hash").hex(32),
    value: at.field("value").integer(),
    gasBurned: at.field("gas_burned").integer(),
    round: at.field("round").integer(),
  };
}

function readProof(at: Place): ReceiptProof {
  const proof = at.field("proof");
  return {
    receipt: readReceipt(at.field("receipt")),
    index: proof.field("index").integer(),
    count: proof.field("count").integer(),
    siblings: proof
      .field("siblings")
      .list()
      .map((sibling) => sibling.hex(32)),
    receiptsRoot: at.field("receipts_root").hex(32),
    stateRoot: at.field("state_root").hex(32),
    transitionsHash: at.field("transitions_hash").hex(32),
  };
}

function readCertificate(at: Place): Certificate {
  const block = at.field("block").block();
  return {
    statement: {
      genesis: at.field("genesis").hex(32),
      setId: at.field("set_id").integer(),
      blockNumber: block.number,
      blockHash: block.hash,
      anchorNumber: at.field("anchor_number").integer(),
      anchorHash: at.field("anchor_hash").hex(32),
      outcome: at.field("outcome").hex(32),
    },
    signers: at.field("signers").hex(),
    signatures: at
      .field("signatures")
      .list()
      .map((signature) => signature.hex(64)),
  };
}

function readBatch(at: Place): Batch {
  return {
    nonce: at.field("nonce").integer(),
    digest: at.field("digest").hex(32),
    seal: at.field("seal").block(),
    lastRound: at.field("last_round").block(),
  };
}

function readLevel(at: Place): Level {
  const level = at.text();
  switch (level) {
    case "executed":
    case "certified":
    case "finalized":
    case "committed":
    case "settled":
      return level;
    default:
      throw new ProtocolError(`the node says a level that is none: ${level}`);
  }
}

/** The answer of `gear_messageStatus`. */
export function readStatus(answer: unknown): Status | null {
  return new Place(answer, "status").or((at) => ({
    level: readLevel(at.field("level")),
    block: at.field("block").block(),
    anchor: at.field("anchor").block(),
    proof: readProof(at),
    certificate: at.field("certificate").or(readCertificate),
    batch: at.field("batch").or(readBatch),
  }));
}

/** A notification of `gear_subscribeMessage`. Null for a level that this client does not know. */
export function readEvent(notification: unknown): LifeEvent | null {
  const at = new Place(notification, "notification");
  const step = {
    cursor: at.field("cursor").text(),
    at: at.field("at").or((place) => new Date(Number(place.integer()))),
  };
  const level = at.field("level").text();
  switch (level) {
    case "waiting":
    case "finalized":
      return { ...step, level };
    case "executed": {
      const [block, anchor] = [at.field("block").block(), at.field("anchor").block()];
      const proof = readProof(at);
      const payload = at.field("payload").or((place) => place.hex());
      if (payload !== null && keccak256(payload) !== proof.receipt.payloadHash) {
        throw new ProtocolError("the node's notification.payload is not that of the receipt");
      }
      return { ...step, level, block, anchor, proof, payload };
    }
    case "certified":
      return { ...step, level, certificate: at.field("certificate").or(readCertificate) };
    case "committed":
    case "settled":
      return { ...step, level, batch: at.field("batch").or(readBatch) };
    case "superseded":
      return { ...step, level, block: at.field("block").block() };
    case "purged": {
      const reason = Number(at.field("reason").integer());
      return { ...step, level, reason, message: at.field("message").text() };
    }
    default:
      return null;
  }
}

/** The answer of `injected_sendTransaction`: why it was refused, or null. */
export function readAcceptance(answer: unknown): string | null {
  if (answer === "Accept") return null;
  return new Place(answer, "answer").field("Reject").field("reason").text();
}

/** The answer of `injected_getTransactionReceipt`; null if there is none, or it is a refusal. */
export function readReply(answer: unknown): Reply | null {
  return new Place(answer, "receipt").or((at) =>
    at.field("data").field("Promise").or((promise) => {
      const reply = promise.field("reply");
      return {
        payload: reply.field("payload").hex(),
        value: reply.field("value").integer(),
        code: reply.field("code").hex(4),
      };
    }),
  );
}

/** An Ethereum block with its parent's hash. */
export interface Header extends Block {
  readonly parent: Hex;
}

/** The answer of `block_header`. */
export function readHeader(answer: unknown): Header {
  const [hash, header] = new Place(answer, "header").list();
  if (!hash || !header) throw new ProtocolError("the node's header has not two parts");
  return {
    hash: hash.hex(32),
    number: header.field("height").integer(),
    parent: header.field("parent_hash").hex(32),
  };
}

/** The answer of `gear_deposit`, in wei. */
export function readDeposit(answer: unknown): bigint {
  return new Place(answer, "deposit").field("value").integer();
}

/** The answer of `routerAddress`. */
export function readAddress(answer: unknown): Hex {
  return new Place(answer, "address").hex(20);
}
