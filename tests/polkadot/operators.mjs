// An operator's way in and out: an Ethereum address signs that it stands for an account of the chain. And every way in which
// that is refused.
import { Keyring } from "@polkadot/api";
import { keccakAsU8a } from "@polkadot/util-crypto";
import { UNITS, check, equal } from "./chain.mjs";

const DOMAIN = "EIP712Domain(string name,string version,uint256 chainId,address verifyingContract)";
const BINDING = "OperatorBinding(bytes32 genesis,bytes32 account,address operator,uint64 nonce)";

// An Ethereum key, from a word that is not secret.
export function ethereumKey(word) {
  return new Keyring({ type: "ethereum" }).addFromSeed(keccakAsU8a(word));
}

// What `key` must say in order to be bound to `account` next.
export async function binding({ api }, account, key) {
  const domain = (await api.query.settlement.domain()).unwrap();
  return {
    chainId: domain.chainId.toBigInt(),
    router: domain.router.toHex(),
    genesis: api.genesisHash.toHex(),
    account: account.publicKey,
    operator: key.address,
    nonce: (await api.query.restaking.nonces(key.address)).toBigInt(),
  };
}

// Signs it as wallets do (`eth_signTypedData_v4`), and makes the signature compact (EIP-2098).
export function sign(key, { chainId, router, genesis, account, operator, nonce }) {
  const separator = hash(hash(DOMAIN), hash("Vara.ETH Router"), hash("1"), word(chainId), word(router));
  const said = hash(hash(BINDING), word(genesis), word(account), word(operator), word(nonce));
  // The key hashes what it is given.
  const signature = key.sign(concat(Uint8Array.of(0x19, 0x01), separator, said));
  signature[32] |= (signature[64] % 27) << 7;
  return signature.slice(0, 64);
}

// Binds `account` to the address of `key`.
export async function bind(chain, account, key) {
  const signature = sign(key, await binding(chain, account, key));
  return chain.send(chain.api.tx.restaking.registerOperator(key.address, signature), account);
}

export async function register(chain) {
  const { api, bob, charlie, eve, ferdie } = chain;
  const { balances, restaking, utility } = api.tx;
  const [one, other] = [ethereumKey("one"), ethereumKey("other")];
  const deposit = api.consts.restaking.deposit.toBigInt();
  const free = await chain.free(eve);

  // What is signed is for one account, chain, Router, address and time.
  const said = await binding(chain, eve, one);
  const wrong = {
    account: bob.publicKey,
    chainId: said.chainId + 1n,
    genesis: "0x" + "01".repeat(32),
    nonce: said.nonce + 1n,
    operator: other.address,
    router: one.address,
  };
  equal(Object.keys(wrong).sort(), Object.keys(said).sort());
  const refused = async (signature) =>
    chain.fails(restaking.registerOperator(one.address, signature), eve, "restaking.BadSignature");
  for (const [field, value] of Object.entries(wrong)) {
    await refused(sign(one, { ...said, [field]: value }));
  }
  await refused(sign(other, said));
  await refused(new Uint8Array(64));
  await refused(new Uint8Array(64).fill(0xff));
  await chain.fails(restaking.deregisterOperator(), eve, "restaking.NotOperator");
  await chain.fails(restaking.withdrawOperator(), eve, "restaking.NotOperator");
  equal((await api.query.restaking.operators(eve.address)).isNone, true);

  const events = await bind(chain, eve, one);
  const registered = events.find((event) => api.events.restaking.OperatorRegistered.is(event));
  equal(registered.data.map(String), [eve.address, one.address.toLowerCase()]);
  const operator = (await api.query.restaking.operators(eve.address)).unwrap();
  equal(operator.address.toHex(), one.address.toLowerCase());
  equal(operator.leaving.isNone, true);
  equal((await api.query.restaking.operatorOf(one.address)).unwrap().toString(), eve.address);
  equal((await api.query.restaking.nonces(one.address)).toNumber(), 1);
  // The deposit is held, and fees are paid besides.
  const paid = free - (await chain.free(eve));
  check(paid >= deposit && paid < deposit + UNITS, `${paid} was paid for a deposit of ${deposit}`);
  const holds = await api.query.balances.holds(eve.address);
  equal(holds.map((hold) => hold.amount.toBigInt()), [deposit]);

  // One address for one account.
  const again = sign(other, await binding(chain, eve, other));
  await chain.fails(restaking.registerOperator(other.address, again), eve, "restaking.AlreadyOperator");
  const taken = sign(one, await binding(chain, bob, one));
  await chain.fails(restaking.registerOperator(one.address, taken), bob, "restaking.AddressTaken");
  // Who has less than the deposit.
  const poor = new Keyring({ type: "sr25519" }).addFromUri("//Poor");
  await chain.send(balances.transferKeepAlive(poor.address, deposit / 2n), ferdie);
  const broke = sign(other, await binding(chain, poor, other));
  await chain.fails(restaking.registerOperator(other.address, broke), poor, '{"token":"FundsUnavailable"}');

  // What only governance may.
  const token = "0x" + "ee".repeat(20);
  const rules = { decimals: 18, haircut: 0, cap: 10n ** 24n };
  await chain.fails(restaking.setAsset(token, rules), bob, "BadOrigin");
  await chain.sudoFails(restaking.setAsset(token, { ...rules, decimals: 37 }), "restaking.TooManyDecimals");
  const most = api.consts.restaking.maxAssets.toNumber();
  const tokens = Array.from({ length: most }, (_, index) => "0x" + (index + 1).toString(16).padStart(40, "0"));
  await chain.sudo(utility.batchAll(tokens.map((address) => restaking.setAsset(address, rules))));
  await chain.sudoFails(restaking.setAsset(token, rules), "restaking.TooManyAssets");
  await chain.sudo(utility.batchAll(tokens.map((address) => restaking.setAsset(address, null))));
  equal((await api.query.restaking.counterForAssets()).toNumber(), 0);
  await chain.fails(api.tx.validatorElection.forceVaraOnly(1), charlie, "BadOrigin");

  // Out again: at once it can not.
  await chain.fails(restaking.withdrawOperator(), eve, "restaking.NotLeaving");
  const leaving = await chain.send(restaking.deregisterOperator(), eve);
  const event = leaving.find((event) => api.events.restaking.OperatorLeaving.is(event));
  const freeIn = event.data.at(2).toNumber();
  await chain.fails(restaking.deregisterOperator(), eve, "restaking.AlreadyLeaving");
  await chain.fails(restaking.withdrawOperator(), eve, "restaking.TooEarly");
  console.log(`operators: ${one.address} is bound, and free in era ${freeIn}`);
  return { freeIn, key: one, used: sign(one, said) };
}

export async function leave(chain, { freeIn, key, used }) {
  const { api, eve } = chain;
  const { restaking } = api.tx;
  await chain.until("the era in which the operator is free", async () => (await chain.era()) >= freeIn);
  // The pallet sees an era in the block after.
  await chain.until("its begin", async () => (await api.query.restaking.seenEra()).unwrap().toNumber() >= freeIn);
  const events = await chain.send(restaking.withdrawOperator(), eve);
  check(events.some((event) => api.events.restaking.OperatorRemoved.is(event)), "the operator is removed");
  equal((await api.query.restaking.operatorOf(key.address)).isNone, true);
  equal((await api.query.balances.holds(eve.address)).length, 0);
  // What it signed then binds it no second time.
  await chain.fails(restaking.registerOperator(key.address, used), eve, "restaking.BadSignature");
  await bind(chain, eve, key);
  equal((await api.query.restaking.nonces(key.address)).toNumber(), 2);
  console.log("operators: unbound, and bound again by a new signature only");
}

// A value as 32 bytes: numbers and addresses are padded on the left.
function word(value) {
  if (value instanceof Uint8Array) return value;
  const digits = typeof value === "bigint" ? value.toString(16) : value.slice(2);
  return Uint8Array.from(Buffer.from(digits.padStart(64, "0"), "hex"));
}

function hash(...parts) {
  return keccakAsU8a(concat(...parts));
}

function concat(...parts) {
  return Uint8Array.from(Buffer.concat(parts.map((part) => Buffer.from(part))));
}
