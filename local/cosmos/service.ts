import { Account, type AccountOptions } from "./account.ts";
import { checkAuthorization } from "./auth.ts";
import { failedReadCharge, failedWriteCharge, metadataCharge } from "./charge.ts";
import type { Container } from "./container.ts";
import { answerDocuments } from "./documents.ts";
import { badRequest, CosmosError, unsupported } from "./errors.ts";
import { checkHeaders, header, partitionKeyHeader } from "./headers.ts";
import { fullPartitionKey } from "./items.ts";
import { answerContainers, answerDatabases } from "./metadata.ts";
import { answerOffers } from "./offers.ts";
import { type Answer, type CosmosRequest, operationOf } from "./request.ts";
import { targetRange } from "./routing.ts";
import { limitOf } from "./throughput.ts";
import { type AccountIdentity, answerAccount, answerPartitionRanges } from "./topology.ts";
import { Transaction } from "./transaction.ts";
import { readFactor, viewFor, viewOfRefusal } from "./views.ts";

/** The Cosmos DB service without the sockets: one request in, one answer out, at once. */
export class Service {
  readonly account: Account;
  readonly #key: Buffer;
  readonly #identity: AccountIdentity;

  constructor(options: AccountOptions & { key: string; identity: AccountIdentity }) {
    this.account = new Account(options);
    this.#identity = options.identity;
    this.#key = Buffer.from(options.key, "base64");
  }

  /** Answers, and has written the change to the journal by then. Throws what the client gets as an error. */
  answer(request: CosmosRequest): Answer {
    const { headers, method, path } = request;
    const authorization = header(headers, "authorization");
    const claimed = { method, path, date: header(headers, "x-ms-date"), authorization, host: headers.host };
    checkAuthorization(this.#key, claimed, this.account.identities.now());
    checkHeaders(headers);
    const answer = this.#route(request);
    this.account.compact();
    return answer;
  }

  #route(request: CosmosRequest): Answer {
    const { account } = this;
    const [kind, database = "", collections, id = "", resource, name] = request.parts;
    if (kind === undefined) return answerAccount(request, this.#identity, account.settings.consistency);
    if (kind === "offers") return answerOffers(account, request);
    if (kind !== "dbs") throw unsupported(`the resource '${kind}'`);
    if (collections === undefined) return answerDatabases(account, request);
    if (collections !== "colls") throw unsupported(`the resource '${collections}'`);
    if (resource === undefined) return answerContainers(account, request);
    const container = account.container(database, id);
    container.removeExpired();
    if (resource === "docs") return this.#throttled(container, request);
    if (resource === "pkranges" && name === undefined) return answerPartitionRanges(request, container);
    if (resource === "operations" && name === "partitionkeydelete") return this.#deletePartition(container, request);
    throw unsupported(`the resource '${FEATURES[resource] ?? resource}'`);
  }

  #throttled(container: Container, request: CosmosRequest): Answer {
    const { settings } = this.account;
    const { id } = targetRange(container, request.headers);
    container.throughput.check(id, limitOf(container.offer, container.ranges.size, settings));
    let charge = failedWriteCharge;
    try {
      const answer = answerDocuments(this.account, container, request);
      charge = answer.charge;
      return answer;
    } catch (error) {
      if (error instanceof CosmosError) this.#complete(error, container, request);
      throw error;
    } finally {
      container.throughput.spend(id, charge);
    }
  }

  /** A refusal that looked at the documents costs what looking costs, and tells how far it saw. */
  #complete(error: CosmosError, container: Container, request: CosmosRequest): void {
    if (![404, 409, 412].includes(error.status) || error.substatus !== undefined) return;
    const { settings } = this.account;
    const { headers } = request;
    const range = targetRange(container, headers);
    const reads = operationOf(request) === "read";
    viewOfRefusal.set(error, reads ? viewFor(container, settings, headers, range) : { container, range });
    if (reads) error.charge = failedReadCharge * readFactor(settings, headers);
  }

  #deletePartition(container: Container, request: CosmosRequest): Answer {
    if (request.method !== "POST") throw badRequest(`${request.method} is not allowed on ${request.path}.`);
    const key = fullPartitionKey(partitionKeyHeader(request.headers), container.partitionPaths.length);
    const transaction = new Transaction(container, key);
    for (const item of container.partitions.get(key.text)?.items.values() ?? []) transaction.delete(item);
    this.account.commit(transaction);
    const session = { container, range: container.rangeOf(key) };
    return { status: 200, charge: metadataCharge, session, body: "{}" };
  }
}

const FEATURES: Record<string, string> = {
  sprocs: "stored procedures",
  triggers: "triggers",
  udfs: "user-defined functions",
  conflicts: "conflicts",
};
