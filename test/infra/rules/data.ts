/** The store and its cost, the network, and what watches over it all. */
import type { Snapshot } from "../snapshot.ts";
import { every, everyIs, type Rule, TYPES } from "./rule.ts";

const RESOURCE = "properties.resource";

const capabilities = (snapshot: Snapshot) => snapshot.values(TYPES.account, "properties.capabilities[].name");
const isServerless = (snapshot: Snapshot) => capabilities(snapshot).includes("EnableServerless");
const isPrivate = (snapshot: Snapshot) => snapshot.of(TYPES.privateEndpoint).length > 0;

/** Services that a private network closes; the app itself stays open. */
const CLOSED = [TYPES.storage, TYPES.account, TYPES.namespace, TYPES.vault, TYPES.model];

/** A vector that is indexed like other properties costs many request units for each write. */
function vectorsAreIndexedOnce(container: unknown): boolean {
  const { vectorEmbeddingPolicy, indexingPolicy } = Object(container);
  const paths = (list: { path: string }[] | undefined) => (list ?? []).map(({ path }) => path);
  return paths(vectorEmbeddingPolicy?.vectorEmbeddings).every(
    (path) =>
      paths(indexingPolicy.vectorIndexes).includes(path) && paths(indexingPolicy.excludedPaths).includes(`${path}/*`),
  );
}

function giveVectors(snapshot: Snapshot): void {
  const vectorEmbeddings = [{ path: "/vector", dataType: "float32", distanceFunction: "cosine", dimensions: 256 }];
  snapshot.put(TYPES.cosmosContainer, `${RESOURCE}.vectorEmbeddingPolicy`, { vectorEmbeddings });
}

const hasVectors = (snapshot: Snapshot) =>
  snapshot.values(TYPES.cosmosContainer, `${RESOURCE}.vectorEmbeddingPolicy`).some((policy) => policy !== undefined);

const subnetOfApp = (snapshot: Snapshot) =>
  snapshot.values(TYPES.network, "properties.subnets[]").filter((subnet) => isOfApp(subnet));

const isOfApp = (subnet: unknown) => JSON.stringify(subnet).includes('"serviceName":"Microsoft.App/environments"');

const prefixLength = (subnet: unknown) => Number(String(Object(subnet).properties.addressPrefix).split("/")[1]);

const STORE: Rule[] = [
  everyIs("documents expire only by themselves", TYPES.cosmosContainer, `${RESOURCE}.defaultTtl`, -1, 60),
  everyIs("partition keys are hashed whole", TYPES.cosmosContainer, `${RESOURCE}.partitionKey.version`, 2, 1),
  {
    rule: "vectors are indexed once",
    holds: (snapshot) => snapshot.values(TYPES.cosmosContainer, RESOURCE).every(vectorsAreIndexedOnce),
    mistake: giveVectors,
  },
  {
    rule: "an account with vectors can search them",
    holds: (snapshot) => !hasVectors(snapshot) || capabilities(snapshot).includes("EnableNoSQLVectorSearch"),
    mistake: (snapshot) => snapshot.put(TYPES.account, "properties.capabilities", [{ name: "EnableServerless" }]),
  },
  {
    rule: "serverless has no throughput",
    holds: (snapshot) =>
      !isServerless(snapshot) ||
      snapshot.values(TYPES.cosmosContainer, "properties.options").every((options) => keysOf(options).length === 0),
    mistake: (snapshot) => snapshot.put(TYPES.cosmosContainer, "properties.options", { throughput: 400 }),
    in: "default",
  },
  {
    rule: "otherwise each container has a throughput of its own",
    holds: (snapshot) =>
      isServerless(snapshot) ||
      snapshot
        .values(TYPES.cosmosContainer, "properties.options.autoscaleSettings.maxThroughput")
        .every((units) => Number(units) >= 1000),
    mistake: (snapshot) => snapshot.put(TYPES.cosmosContainer, "properties.options", {}),
  },
  {
    rule: "a Strong account is in one region",
    holds: (snapshot) =>
      snapshot.of(TYPES.account).every((account) => {
        const { consistencyPolicy, locations } = Object(account.properties);
        return consistencyPolicy.defaultConsistencyLevel !== "Strong" || locations.length === 1;
      }),
    mistake: (snapshot) => snapshot.put(TYPES.account, "properties.locations", [{}, {}]),
  },
  everyIs("backups are continuous", TYPES.account, "properties.backupPolicy.type", "Continuous", "Periodic"),
  everyIs("queues have no sessions", TYPES.queue, "properties.requiresSession", false, true),
];

const NETWORK: Rule[] = [
  {
    rule: "a private network closes every service",
    holds: (snapshot) =>
      !isPrivate(snapshot) ||
      CLOSED.flatMap((type) => snapshot.values(type, "properties.publicNetworkAccess")).every(
        (access) => access === "Disabled",
      ),
    mistake: (snapshot) => snapshot.put(TYPES.storage, "properties.publicNetworkAccess", "Enabled"),
  },
  {
    rule: "a private network has an endpoint for every service",
    holds: (snapshot) =>
      !isPrivate(snapshot) ||
      CLOSED.flatMap((type) => snapshot.of(type)).every(({ id }) =>
        JSON.stringify(snapshot.of(TYPES.privateEndpoint)).includes(`"privateLinkServiceId":"${id}"`),
      ),
    mistake: ({ resources }) => {
      const first = resources.findIndex(
        ({ type, name }) => type === TYPES.privateEndpoint && name.startsWith("pe-sql"),
      );
      resources.splice(first, 1);
    },
  },
  {
    rule: "a private network has Premium messaging",
    holds: (snapshot) => !isPrivate(snapshot) || snapshot.values(TYPES.namespace, "sku.name").join() === "Premium",
    mistake: (snapshot) => snapshot.put(TYPES.namespace, "sku.name", "Standard"),
  },
  {
    rule: "every endpoint is found by its name",
    holds: (snapshot) => snapshot.of(TYPES.privateEndpoint).length === snapshot.of(TYPES.zoneGroup).length,
    mistake: ({ resources }) => {
      resources.splice(
        resources.findIndex(({ type }) => type === TYPES.zoneGroup),
        1,
      );
    },
  },
  {
    rule: "the app has a subnet for itself that Flex Consumption takes",
    holds: (snapshot) =>
      !isPrivate(snapshot) ||
      (subnetOfApp(snapshot).length === 1 &&
        subnetOfApp(snapshot).every((subnet) => !/_/.test(Object(subnet).name) && prefixLength(subnet) <= 27)),
    mistake: (snapshot) => snapshot.put(TYPES.network, "properties.subnets[].name", "app_subnet"),
  },
  {
    rule: "the app can still call out",
    holds: (snapshot) => subnetOfApp(snapshot).every((subnet) => Object(subnet).properties.natGateway !== undefined),
    mistake: (snapshot) => snapshot.put(TYPES.network, "properties.subnets[].properties.natGateway", undefined),
  },
  {
    rule: "the app is in its subnet",
    holds: (snapshot) =>
      !isPrivate(snapshot) ||
      snapshot
        .values(TYPES.site, "properties.virtualNetworkSubnetId")
        .every((id) => String(id).endsWith("/subnets/app")),
    mistake: (snapshot) => snapshot.put(TYPES.site, "properties.virtualNetworkSubnetId", null),
  },
];

const WATCH: Rule[] = [
  {
    rule: "an alert tells of dead letters",
    holds: (snapshot) =>
      snapshot.values(TYPES.metricAlert, "properties.criteria.allOf[].metricName").includes("DeadletteredMessages"),
    mistake: (snapshot) => snapshot.put(TYPES.metricAlert, "properties.criteria.allOf", []),
  },
  every(
    "alerts do not wait for the first metric",
    TYPES.metricAlert,
    "properties.criteria.allOf[].skipMetricValidation",
    (value) => value === true,
    false,
  ),
  {
    rule: "no version of an API is a preview, but of diagnostic settings, which have no other",
    holds: ({ resources }) =>
      resources.every(({ type, apiVersion }) => type.endsWith("/diagnosticSettings") || !/preview/.test(apiVersion)),
    mistake: (snapshot) => snapshot.put(TYPES.site, "apiVersion", "2025-05-01-preview"),
  },
  {
    rule: "the CLI has nothing to say about it",
    holds: ({ diagnostics }) => diagnostics.length === 0,
    mistake: ({ diagnostics }) => diagnostics.push({ code: "BCP037" }),
  },
];

const keysOf = (value: unknown) => Object.keys(Object(value));

export const DATA: Rule[] = [...STORE, ...NETWORK, ...WATCH];
