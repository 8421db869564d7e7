// Three offences of the network's validator. One is punished; two are forgiven by referenda, in VARA alone and in both
// assets, before anything is taken.
import { UNITS, check, equal } from "./chain.mjs";
import { bind, ethereumKey } from "./operators.mjs";

const ETH = 10n ** 18n;
const PERCENT = 10_000_000;

export async function slashing(chain) {
  const { api, alice, bob } = chain;
  const { restaking, rootOffences, slashing, staking, system } = api.tx;
  const key = ethereumKey("alice");
  await bind(chain, alice, key);

  const era = await chain.nextEra();
  const session = (await api.query.session.currentIndex()).toNumber();
  const deferred = era + (await api.query.pace.inForce()).slashDeferral.toNumber() + 1;
  const bond = async () => (await api.query.staking.ledger(alice.address)).unwrap().total.toBigInt();
  const before = await bond();
  // Kinds of offences that prove themselves need a dishonest node; these are made by root. Each is more than the one
  // before: only the greatest fraction of an era counts.
  const offence = (slot, percent) => [[alice.address, null], session, slot, percent * PERCENT];
  const made = await chain.sudo(rootOffences.reportOffence([offence(1, 1), offence(2, 5)]));
  equal(made.filter((event) => api.events.staking.SlashReported.is(event)).length, 2);
  check(!made.some((event) => api.events.slashing.SlashDeferred.is(event)), "nobody has ETH at stake yet");

  // No vault stands behind a development network. What one would have held for the operator is written as root.
  const { snapshots, stakes } = api.query.restaking;
  const snapshot = (await snapshots(era)).unwrap().toJSON();
  snapshot.state = { Accepted: { root: "0x" + "00".repeat(32), pages: 0, total: ETH } };
  const value = (entry, json) =>
    api.createType(api.registry.createLookupType(entry.creator.meta.type.asMap.value), json).toHex();
  await chain.sudo(system.setStorage([
    [stakes.key(era), value(stakes, [[alice.address, ETH]])],
    [snapshots.key(era), value(snapshots, snapshot)],
  ]));
  const events = await chain.sudo(rootOffences.reportOffence([offence(3, 9)]));
  const [id, validator, operator, slashEra, , fraction, due] =
    events.find((event) => api.events.slashing.SlashDeferred.is(event)).data;
  equal([validator.toString(), operator.toString()], [alice.address, key.address.toLowerCase()]);
  equal([slashEra.toNumber(), fraction.toNumber()], [era, 9 * PERCENT]);
  check(due.toNumber() > (await api.rpc.chain.getHeader()).number.toNumber(), "it waits");
  const waiting = async () => (await api.query.staking.unappliedSlashes(deferred)).length;
  equal(await waiting(), 3);

  // Nobody cancels alone, and nothing that there is not.
  await chain.fails(slashing.cancel(id), bob, "BadOrigin");
  await chain.fails(staking.cancelDeferredSlash(deferred, [1]), bob, "BadOrigin");
  await chain.fails(slashing.approve(id), bob, "BadOrigin");
  await chain.sudoFails(slashing.cancel(1_000), "slashing.UnknownSlash");
  await chain.sudoFails(slashing.approve(id), "slashing.WrongState");
  await chain.sudoFails(staking.cancelDeferredSlash(deferred, [9]), "staking.InvalidSlashIndex");

  const both = await chain.propose("SlashCanceller", slashing.cancel(id));
  const vara = await chain.propose("StakingAdmin", staking.cancelDeferredSlash(deferred, [1]));
  await chain.until("both cancellations", async () => (await waiting()) === 1);
  await Promise.all([both, vara].map((index) => chain.approved(index)));
  check((await chain.era()) < deferred, "in time");
  equal((await api.query.slashing.slashes(id)).unwrap().state.type, "Cancelled");
  await chain.sudoFails(slashing.cancel(id), "slashing.AlreadyCancelled");

  // When its time has come, only what was not cancelled is taken.
  await chain.until("the end of the deferral", async () => (await chain.era()) >= deferred);
  await chain.until("the slash", async () => (await bond()) < before);
  await chain.nextEra();
  const own = (await api.query.staking.erasStakersOverview(era, alice.address)).unwrap().own.toBigInt();
  const taken = before - (await bond());
  const difference = taken - own / 100n;
  check(difference >= -1n && difference <= 1n, `a hundredth of ${own} was taken, not ${taken}`);
  const { found } = await chain.history((event) =>
    api.events.slashing.SlashCancelled.is(event)
    || (api.events.staking.Slashed.is(event) && event.data[0].toString() === alice.address));
  equal(found.map(({ event }) => event.method), ["SlashCancelled", "Slashed"]);
  // The slash's number, that ETH is safe, and that VARA was cancelled once.
  equal(found[0].event.data.map(String), [id.toString(), "true", "1"]);
  console.log(`slashing: ${Number(taken) / Number(UNITS)} VARA were taken, two slashes were cancelled`);
}
