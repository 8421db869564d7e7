// A referendum from its preimage to its effect, and what is refused on the way.
import { UNITS, check, equal } from "./chain.mjs";

const PRICE = 250n;

export async function governance(chain) {
  const { api, alice, bob, charlie, dave, eve, ferdie } = chain;
  const { convictionVoting, parameters, preimage, referenda } = api.tx;

  const price = async () => {
    const answer = await api.query.execution.parameters();
    return (answer.valuePerGas ?? answer.value_per_gas).toBigInt();
  };
  const before = await price();
  check(before !== PRICE, "the price is another one before");

  const setPrice = parameters.setParameter({ Execution: { ValuePerGas: [null, PRICE] } });
  await chain.fails(setPrice, bob, "BadOrigin");

  const bytes = setPrice.method.toHex();
  await chain.send(preimage.notePreimage(bytes), alice);
  const proposal = { Lookup: { hash: setPrice.method.hash.toHex(), len: setPrice.method.encodedLength } };
  await chain.send(referenda.submit({ Origins: "ParameterAdmin" }, proposal, { After: 0 }), alice);
  const index = (await api.query.referenda.referendumCount()).toNumber() - 1;
  await chain.send(referenda.placeDecisionDeposit(index), bob);
  await chain.fails(referenda.placeDecisionDeposit(index), bob, "referenda.HasDeposit");
  const aye = { Standard: { vote: { aye: true, conviction: "Locked1x" }, balance: 800_000n * UNITS } };
  await Promise.all([alice, bob, charlie, dave, eve, ferdie].map((who) => chain.send(convictionVoting.vote(index, aye), who)));
  const tally = (await api.query.referenda.referendumInfoFor(index)).unwrap().asOngoing.tally;
  equal(tally.support.toBigInt(), 4_800_000n * UNITS);
  await chain.until("the approval", async () => (await api.query.referenda.referendumInfoFor(index)).unwrap().isApproved);
  await chain.until("the parameter", async () => [...(await api.query.parameters.parameters.entries())].length > 0);
  await chain.until("the era in which it counts", async () => (await price()) === PRICE);

  // What it does to execution is measured by who runs this script.
  console.log(`governance: referendum ${index} changed the price of gas from ${before} to ${PRICE} base units`);
}
