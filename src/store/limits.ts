/** What Cosmos DB takes at once: 2 MB a document, and 2 MB and 100 writes a transaction. */

/** Cosmos DB's own limit is 100. */
export const MAX_BATCH_WRITES = 100;

/** Cosmos DB's own limit is 2 MB, with what surrounds the writes. Bytes. */
export const MAX_BATCH_BYTES = 1_900_000;
