/**
 * How long the app waits for Cosmos DB, in milliseconds. Each wait is shorter than the one around it;
 * docs/operations.md has the whole table ("Waits"), and test/unit/waits.test.ts compares them.
 */

/** One HTTP request. Longer than Cosmos DB itself takes for anything that it does. */
export const REQUEST_TIMEOUT = 5_000;

/** How long the SDK waits in all, between its tries of a request that is answered with 429. */
export const THROTTLED_WAIT = 4_000;

/** One call of the SDK, whatever it does meanwhile: metadata, tokens of an identity, its tries after 429. */
export const CALL_TIMEOUT = 10_000;

/** All pages of a query. */
export const QUERY_TIMEOUT = 10_000;

/** After this time, what a client waits for is not tried again. */
export const SHORT_PATIENCE_TIME = 2_000;

/** The longest pause before a driver tries again to write an outcome. */
export const LONGEST_PAUSE = 500;
