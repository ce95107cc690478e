/**
 * When these prices were looked up. The figures on azure.microsoft.com/pricing load only in a browser: each of them was
 * found the same in several public sources that quote that page.
 */
export const PRICES_OF = "2026-11-25";

/** List prices in US dollars, East US, pay as you go. Prices change: check them before you rely on a sum. */
export const PRICES = {
  /** Cosmos DB serverless */
  perMillionUnits: 0.25,
  /** Cosmos DB, a GB of data and index for a month */
  perGigabyteMonth: 0.25,
  /** Service Bus Standard, after the 13 million a month that its base charge holds */
  perMillionOperations: 0.8,
  serviceBusBaseMonth: 10,
  /** Functions, Flex Consumption, on demand; 250,000 executions and 100,000 GB-s a month are free */
  perMillionExecutions: 0.4,
  perGigabyteSecond: 0.000026,
};

/** The usual instance of Flex Consumption. It is charged whole, for as long as anything runs on it. */
export const INSTANCE_GIGABYTES = 2;

/** A message is sent, received and completed. */
export const OPERATIONS_PER_MESSAGE = 3;

export interface Bill {
  cosmos: number;
  serviceBus: number;
  executions: number;
  /** of an instance on which so many runs share the time */
  instance: number;
}

/** Dollars for a million runs. `seconds`: how long functions run for one of them; `sharing`: runs at a time. */
export function billFor(
  run: { units: number; messages: number; executions: number; seconds: number },
  sharing: number,
): Bill {
  return {
    cosmos: run.units * PRICES.perMillionUnits,
    serviceBus: run.messages * OPERATIONS_PER_MESSAGE * PRICES.perMillionOperations,
    executions: run.executions * PRICES.perMillionExecutions,
    instance: (run.seconds * INSTANCE_GIGABYTES * PRICES.perGigabyteSecond * 1e6) / sharing,
  };
}

export const sumOf = (bill: Bill): number => bill.cosmos + bill.serviceBus + bill.executions + bill.instance;
