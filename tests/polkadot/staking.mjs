// What a nominator, a pool and a validator do on the Staking pages.
import { UNITS, check, equal } from "./chain.mjs";

export async function staking(chain) {
  const { api, alice, bob, charlie, dave } = chain;
  const { staking, nominationPools, session, utility } = api.tx;

  // A nominator: bond and nominate in one batch, as the page does.
  const setUp = [staking.bond(50_000n * UNITS, "Staked"), staking.nominate([alice.address])];
  await chain.send(utility.batchAll(setUp), bob);
  await chain.fails(staking.bond(UNITS, "Staked"), bob, "staking.AlreadyBonded");
  // A pool and a member.
  const create = nominationPools.create(20n * UNITS, charlie.address, charlie.address, charlie.address);
  await chain.send(create, charlie);
  const pool = (await api.query.nominationPools.lastPoolId()).toNumber();
  await chain.send(nominationPools.nominate(pool, [alice.address]), charlie);
  await chain.send(nominationPools.join(100n * UNITS, pool), dave);
  equal((await api.query.nominationPools.poolMembers(dave.address)).unwrap().points.toBigInt(), 100n * UNITS);

  // A validator's keys: the proof says that its node holds them.
  const owner = "0x" + Buffer.from(dave.publicKey).toString("hex");
  const { keys, proof } = await chain.provider.send("author_rotateKeysWithOwner", [owner]);
  await chain.send(session.setKeys(keys, proof), dave);
  await chain.fails(session.setKeys(keys, "0x"), charlie, "session.InvalidProof");

  // Both count in the next election, and are paid for the era after.
  await chain.nextEra();
  const era = await chain.nextEra();
  const exposure = await api.query.staking.erasStakersOverview(era, alice.address);
  check(exposure.unwrap().nominatorCount.toNumber() === 2, "two nominators are exposed");
  await chain.nextEra();
  const paid = (await api.query.staking.erasValidatorReward(era)).unwrap().toBigInt();
  check(paid > 0n, "the era has a payout");
  const events = await chain.send(staking.payoutStakers(alice.address, era), chain.eve);
  equal(events.filter((event) => api.events.staking.Rewarded.is(event)).length, 3);
  await chain.fails(staking.payoutStakers(alice.address, era), chain.eve, "staking.AlreadyClaimed");
  check((await api.call.nominationPoolsApi.pendingRewards(dave.address)).toBigInt() > 0n, "the pool's member has a reward");
  await chain.send(nominationPools.claimPayout(), dave);

  // Out again.
  await chain.send(staking.chill(), bob);
  const { active } = (await api.query.staking.ledger(bob.address)).unwrap();
  await chain.send(staking.unbond(active.toBigInt()), bob);
  await chain.fails(staking.withdrawUnbonded(0), charlie, "staking.NotController");
  const free = await chain.free(bob);
  const { unlocking } = (await api.query.staking.ledger(bob.address)).unwrap();
  const due = unlocking[0].era.toNumber();
  await chain.until("the end of the bonding time", async () => (await chain.era()) >= due);
  await chain.send(staking.withdrawUnbonded(0), bob);
  check((await chain.free(bob)) > free + 49_999n * UNITS, "the bond is free again");
  console.log(`staking: era ${era} paid ${Number(paid) / Number(UNITS)} VARA to three stakers`);
}
