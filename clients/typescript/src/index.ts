// The client of Gear.exe: see README.md.
export * from "./client.js";
export { MAX_PAYLOAD, MAX_SALT, SignError, messageDigest, messageId, sign, toRpc, walletJson } from "./message.js";
export type { Eip1193Provider, Form, LocalAccount, NativeMessage, RouterAddress, SignedMessage, Signer } from "./message.js";
export { isCanonical, readValidatorSet, StaleSetError } from "./router.js";
export { ConnectionError, ProtocolError, RpcError, TimeoutError } from "./rpc.js";
export type { Batch, Block, Level, LifeEvent, Reply, Status } from "./shapes.js";
export * from "./solidity.js";
export * from "./verify.js";
