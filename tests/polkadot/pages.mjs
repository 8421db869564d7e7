// The conditions under which polkadot.js Apps shows its pages, and that it can decode whatever the chain says.
import { Metadata, TypeRegistry } from "@polkadot/types";
import { check, equal } from "./chain.mjs";

export async function pages({ api }) {
  const { consts, query, tx } = api;

  // Staking, Targets, Payouts.
  check(query.staking?.erasStakersOverview && query.staking.claimedRewards, "Staking");
  check([2, 3].includes(tx.staking.bond.meta.args.length), "staking.bond has 2 or 3 arguments");
  check(!query.stakingAhClient && !query.stakingRcClient, "Staking is not elsewhere");
  check(tx.staking.payoutStakers && tx.session.setKeys, "Payouts, session keys");
  // Slashes: a list per era.
  equal((await query.staking.unappliedSlashes(0)).toJSON(), []);
  // Bags, Pools.
  check(query.voterList?.listNodes && consts.voterList.bagThresholds.length > 100, "Bags");
  check(query.nominationPools?.minCreateBond && consts.nominationPools.palletId, "Pools");
  check(api.call.nominationPoolsApi?.pendingRewards && api.call.stakingApi?.nominationsQuota, "runtime calls of staking");
  // Referenda, Preimages, Treasury, and what governance has besides.
  check(tx.referenda?.submit && tx.convictionVoting?.vote, "Referenda");
  const tracks = consts.referenda.tracks.map(([id, track]) => [id.toNumber(), track.name.toString().replace(/\0+$/, "")]);
  for (const track of [[0, "root"], [12, "parameter_admin"], [13, "slash_canceller"], [14, "settlement_pauser"]]) {
    check(tracks.some((each) => JSON.stringify(each) === JSON.stringify(track)), `track ${track} among ${JSON.stringify(tracks)}`);
  }
  check(query.preimage?.statusFor || query.preimage?.requestStatusFor, "Preimages");
  check(query.treasury?.proposalCount && consts.treasury.spendPeriod, "Treasury");
  for (const section of ["scheduler", "whitelist", "technicalCommittee", "utility", "parameters"]) {
    check(tx[section], section);
  }
  // Tokens and addresses.
  equal(api.registry.chainSS58, 137);
  equal([api.registry.chainTokens, api.registry.chainDecimals], [["VARA"], [12]]);

  // Every version of the metadata.
  const versions = (await api.call.metadata.metadataVersions()).map((version) => version.toNumber());
  check([14, 15, 16].every((version) => versions.includes(version)), `metadata versions ${versions}`);
  for (const version of [14, 15, 16]) {
    const bytes = (await api.call.metadata.metadataAtVersion(version)).unwrap();
    const metadata = new Metadata(new TypeRegistry(), bytes.toU8a(true).length ? bytes.toHex() : "0x");
    equal(metadata.version, version);
  }

  // Whatever has a name has a text for those who read it there: our own pallets' calls, events, errors, storage.
  const ours = ["execution", "settlement", "restaking", "validatorElection", "slashing", "pace", "parametersInForce"];
  for (const section of ours) {
    check(query[section], `${section} is a pallet`);
    for (const kind of [tx, query, api.events, api.errors]) {
      for (const [item, entry] of Object.entries(kind[section] ?? {})) {
        const docs = (entry.meta ?? entry).docs;
        if (docs) check(docs.length > 0, `${section}.${item} is documented`);
      }
    }
  }
  console.log(`pages: ${Object.keys(tx).length} pallets with calls, ${tracks.length} tracks, metadata ${versions.join(", ")}`);
}
