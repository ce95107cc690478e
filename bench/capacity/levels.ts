/** How much an account carries by its contract, and what it costs a month. */
import { AUTOSCALE_FLOOR, MONTH_HOURS, MONTH_SECONDS, PRICES } from "../cost/prices.ts";

export interface Level {
  name: string;
  /** request units a second of the container `threads` */
  perSecond: number;
  /** for the local Cosmos DB */
  settings: object;
  /** dollars a month with nothing to do, and always at its limit; for both containers */
  month: { idle: number; full: number };
}

const UNLIMITED = { capacity: "unlimited" };

const manual = (perSecond: number): Level => {
  // `catalog` has throughput of its own, the least that there is.
  const month = ((perSecond + 400) / 100) * PRICES.perHundredManual * MONTH_HOURS;
  return {
    name: `manual, ${text(perSecond)} RU/s`,
    perSecond,
    settings: { capacity: "provisioned", throughput: perSecond, autoscale: false },
    month: { idle: month, full: month },
  };
};

const autoscale = (maximum: number): Level => {
  const monthAt = (perSecond: number) => (perSecond / 100) * PRICES.perHundredAutoscale * MONTH_HOURS;
  const catalog = monthAt(1_000 * AUTOSCALE_FLOOR);
  return {
    name: `autoscale, at most ${text(maximum)} RU/s`,
    perSecond: maximum,
    settings: { capacity: "provisioned", throughput: maximum, autoscale: true },
    month: { idle: monthAt(maximum * AUTOSCALE_FLOOR) + catalog, full: monthAt(maximum) + catalog },
  };
};

/** Up to 50 GB in one physical partition; Azure promises neither this throughput nor a latency. */
const SERVERLESS: Level = {
  name: "serverless",
  perSecond: 5_000,
  settings: { capacity: "serverless" },
  month: { idle: 0, full: ((5_000 * MONTH_SECONDS) / 1e6) * PRICES.perMillionUnits },
};

const text = (value: number) => value.toLocaleString("en-US");

/** Less than Azure sells: a few runs reach its limit, also on a machine that is busy with other things. */
export const QUICK_LEVELS: Level[] = [manual(100)];

export const LEVELS: Level[] = [manual(400), autoscale(1_000), autoscale(4_000), SERVERLESS, autoscale(10_000)];

/** Makes the local Cosmos DB an account of this level, or one without limits. */
export async function setLevel(cosmosEndpoint: string, level: Level | undefined): Promise<void> {
  const body = JSON.stringify(level?.settings ?? UNLIMITED);
  const response = await fetch(new URL("/_local/settings", cosmosEndpoint), { method: "PUT", body });
  if (!response.ok) throw new Error(`The local Cosmos DB answered ${response.status}: ${await response.text()}`);
}
