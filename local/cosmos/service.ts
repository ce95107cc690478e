import { Account, type AccountOptions } from "./account.ts";
import { checkSignature } from "./auth.ts";
import { failedWriteCharge, metadataCharge } from "./charge.ts";
import type { Container } from "./container.ts";
import { answerDocuments } from "./documents.ts";
import { badRequest, unsupported } from "./errors.ts";
import { checkHeaders, header, partitionKeyHeader } from "./headers.ts";
import { fullPartitionKey } from "./items.ts";
import { answerAccount, answerContainers, answerDatabases, answerOffers, answerPartitionRanges } from "./metadata.ts";
import type { Answer, CosmosRequest } from "./request.ts";
import { Transaction } from "./transaction.ts";

/** The Cosmos DB service without the sockets: one request in, one answer out, at once. */
export class Service {
  readonly account: Account;
  readonly #key: Buffer;

  constructor(options: AccountOptions & { key: string }) {
    this.account = new Account(options);
    this.#key = Buffer.from(options.key, "base64");
  }

  /** Answers, and has written the change to the journal by then. Throws what the client gets as an error. */
  answer(request: CosmosRequest): Answer {
    const { headers, method, path } = request;
    const authorization = header(headers, "authorization");
    checkSignature(this.#key, { method, path, date: header(headers, "x-ms-date"), authorization });
    checkHeaders(headers);
    const answer = this.#route(request);
    this.account.flush();
    return answer;
  }

  #route(request: CosmosRequest): Answer {
    const { account } = this;
    const [kind, database = "", collections, id = "", resource, name] = request.parts;
    if (kind === undefined) return answerAccount(request);
    if (kind === "offers") return answerOffers(account, request);
    if (kind !== "dbs") throw unsupported(`the resource '${kind}'`);
    if (collections === undefined) return answerDatabases(account, request);
    if (collections !== "colls") throw unsupported(`the resource '${collections}'`);
    if (resource === undefined) return answerContainers(account, request);
    const container = account.container(database, id);
    container.removeExpired();
    if (resource === "docs") return this.#throttled(container, () => answerDocuments(account, container, request));
    if (resource === "pkranges" && name === undefined) return answerPartitionRanges(request, container);
    if (resource === "operations" && name === "partitionkeydelete") return this.#deletePartition(container, request);
    throw unsupported(`the resource '${FEATURES[resource] ?? resource}'`);
  }

  #throttled(container: Container, work: () => Answer): Answer {
    container.throughput.check();
    let charge = failedWriteCharge;
    try {
      const answer = work();
      charge = answer.charge;
      return answer;
    } finally {
      container.throughput.spend(charge);
    }
  }

  #deletePartition(container: Container, request: CosmosRequest): Answer {
    if (request.method !== "POST") throw badRequest(`${request.method} is not allowed on ${request.path}.`);
    const key = fullPartitionKey(partitionKeyHeader(request.headers), container.partitionPaths.length);
    const transaction = new Transaction(container, key);
    for (const item of container.partitions.get(key.text)?.items.values() ?? []) transaction.delete(item);
    this.account.committed(container, transaction.commit());
    return { status: 200, charge: metadataCharge, container, body: "{}" };
  }
}

const FEATURES: Record<string, string> = {
  sprocs: "stored procedures",
  triggers: "triggers",
  udfs: "user-defined functions",
  conflicts: "conflicts",
};
