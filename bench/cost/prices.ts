/**
 * List prices of Azure. The figures on azure.microsoft.com/pricing load only in a browser and were not read there: each
 * was found the same in several public texts that quote that page or Azure's price list.
 */

/** When they were last looked up. */
export const PRICES_OF = "2026-11-26";
export const REGION = "East US";

/** US dollars, pay as you go, without discounts and taxes. Prices change: check them before you rely on a sum. */
export const PRICES = {
  /** Cosmos DB serverless */
  perMillionUnits: 0.25,
  /** Cosmos DB, a GB of data and index for a month */
  perGigabyteMonth: 0.25,
  /** Cosmos DB, throughput set by hand: 100 RU/s for an hour */
  perHundredManual: 0.008,
  /** Cosmos DB autoscale: 100 RU/s for an hour, of the highest throughput in that hour */
  perHundredAutoscale: 0.012,
  /** Service Bus Standard, after the operations that its base charge holds */
  perMillionOperations: 0.8,
  serviceBusBaseMonth: 10,
  /** Functions, Flex Consumption, on demand */
  perMillionExecutions: 0.4,
  perGigabyteSecond: 0.000026,
  /** the same, for an instance that is kept ready, while it has nothing to do */
  perReadyGigabyteSecond: 0.000004,
  /** Container Apps, a session for code, in whole hours from its first use to its end */
  perSessionHour: 0.03,
};

/** What a month includes. */
export const INCLUDED = { operations: 13e6, executions: 250_000, gigabyteSeconds: 100_000 };

/** A month in hours, as Azure's price calculator has it. */
export const MONTH_HOURS = 730;
export const MONTH_SECONDS = MONTH_HOURS * 3_600;

/** The least that autoscale is charged for, as a share of its maximum ("Autoscale throughput: FAQ"). */
export const AUTOSCALE_FLOOR = 0.1;

/** Of every container that is not empty ("Pricing model in Azure Cosmos DB"). */
export const LEAST_GIGABYTES = 1;

/** The usual instance of Flex Consumption. It is charged whole, for as long as anything runs on it. */
export const INSTANCE_GIGABYTES = 2;

/** A message is sent, received and completed. */
export const OPERATIONS_PER_MESSAGE = 3;

/**
 * What a namespace of Service Bus Standard may do in a second, and what a message takes of it: one credit for sending
 * and one for receiving. Whether completing counts is not said ("Throttling operations on Azure Service Bus").
 */
export const CREDITS_A_SECOND = 1_000;
export const CREDITS_PER_MESSAGE = { atLeast: 2, atMost: 3 };

/**
 * The seconds for which an instance is charged that is busy for so long: at least one, and then tenths of one ("Azure
 * Functions Flex Consumption plan hosting", Billing).
 */
export const chargedSeconds = (busy: number): number => Math.max(1, Math.ceil(busy * 10) / 10);

export interface Bill {
  cosmos: number;
  serviceBus: number;
  executions: number;
  /** of an instance on which so many runs share the time */
  instance: number;
}

export interface Usage {
  units: number;
  messages: number;
  /** the seconds that each function execution of a run takes */
  executions: number[];
}

/** Dollars for a million runs; `sharing`: runs at a time. Where it is 1, each execution has the instance for itself. */
export function billFor({ units, messages, executions }: Usage, sharing: number): Bill {
  const charged = executions.reduce((sum, busy) => sum + (sharing === 1 ? chargedSeconds(busy) : busy / sharing), 0);
  return {
    cosmos: units * PRICES.perMillionUnits,
    serviceBus: messages * OPERATIONS_PER_MESSAGE * PRICES.perMillionOperations,
    executions: executions.length * PRICES.perMillionExecutions,
    instance: charged * INSTANCE_GIGABYTES * PRICES.perGigabyteSecond * 1e6,
  };
}

export const sumOf = (bill: Bill): number => bill.cosmos + bill.serviceBus + bill.executions + bill.instance;
