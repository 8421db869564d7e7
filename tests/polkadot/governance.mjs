// A referendum from its preimage to its effect, and what is refused on the way.
import { UNITS, check, equal } from "./chain.mjs";

const PRICE = 250n;

export async function governance(chain) {
  const { api, bob } = chain;
  const { parameters, referenda } = api.tx;

  const price = async () => {
    const answer = await api.query.execution.parameters();
    return (answer.valuePerGas ?? answer.value_per_gas).toBigInt();
  };
  const before = await price();
  check(before !== PRICE, "the price is another one before");

  const setPrice = parameters.setParameter({ Execution: { ValuePerGas: [null, PRICE] } });
  await chain.fails(setPrice, bob, "BadOrigin");

  const index = await chain.propose("ParameterAdmin", setPrice);
  await chain.fails(referenda.placeDecisionDeposit(index), bob, "referenda.HasDeposit");
  const tally = (await api.query.referenda.referendumInfoFor(index)).unwrap().asOngoing.tally;
  equal(tally.support.toBigInt(), 4_800_000n * UNITS);
  await chain.approved(index);
  await chain.until("the parameter", async () => [...(await api.query.parameters.parameters.entries())].length > 0);
  await chain.until("the era in which it counts", async () => (await price()) === PRICE);

  // What it does to execution is measured by who runs this script.
  console.log(`governance: referendum ${index} changed the price of gas from ${before} to ${PRICE} base units`);
}
