/** The templates, azd's files and the code agree: what one of them names, the others have. */
import { globSync, readFileSync } from "node:fs";
import path from "node:path";
import { describe, expect, test } from "vitest";
import { readConfig } from "../../src/config.ts";
import { INGEST_QUEUE, OVERFLOW_QUEUE, QUEUE } from "../../src/jobs/wake-ups.ts";
import { CONTAINERS } from "../../src/store/containers.ts";
import { METRICS } from "../../src/telemetry/metrics.ts";
import { TYPES } from "./rules/rule.ts";
import { CONFIGURATIONS, lastName, PROJECT, Snapshot, valuesAt } from "./snapshot.ts";

const read = (file: string) => readFileSync(path.join(PROJECT, file), "utf8");
const sources = globSync("src/**/*.ts", { cwd: PROJECT }).map(read).join("\n");
const found = (text: string, pattern: RegExp) => Array.from(text.matchAll(pattern), ([, first = ""]) => first);

const main = read("infra/main.bicep");
const parameters = JSON.parse(read("infra/main.parameters.json")) as { parameters: Record<string, { value: string }> };
const outputs = found(main, /^output (\w+) /gm);

describe.each(CONFIGURATIONS)("in the %s configuration", (configuration) => {
  const snapshot = Snapshot.read(configuration);

  test("the containers of Cosmos DB are the code's", () => {
    const containers = snapshot.values(TYPES.cosmosContainer, "properties.resource");
    expect(containers).toEqual(JSON.parse(JSON.stringify(CONTAINERS)));
    expect(snapshot.of(TYPES.cosmosContainer).map(lastName)).toEqual(CONTAINERS.map(({ id }) => id));
  });

  test("the queues are those of the local broker, and those that the code names", () => {
    const broker: unknown = JSON.parse(read("local/service-bus/config.json"));
    const configured = valuesAt(broker, "UserConfig.Namespaces[].Queues[]") as {
      Name: string;
      Properties: Record<string, unknown>;
    }[];
    const queues = snapshot.of(TYPES.queue).map((queue) => ({ name: lastName(queue), properties: queue.properties }));
    expect(queues).toEqual(
      configured.map(({ Name: name, Properties }) => ({
        name,
        properties: {
          ...Object.fromEntries(Object.entries(Properties).map(([key, value]) => [uncapitalized(key), value])),
          enableBatchedOperations: true,
          maxSizeInMegabytes: 1024,
        },
      })),
    );
    expect(queues.map(({ name }) => name)).toEqual([QUEUE, OVERFLOW_QUEUE, INGEST_QUEUE]);
  });

  test("the app can read its settings, and has no key in them", () => {
    const config = readConfig(deployed(snapshot.settings));
    expect(config).toMatchObject({
      apiKeys: [{ tenant: "default" }],
      cosmos: { database: "threadkeep", key: undefined, createContainers: false },
      serviceBus: { namespace: expect.stringMatching(/^sb-threadkeep-\w+\.servicebus\.windows\.net$/) },
      managedIdentityClientId: expect.any(String),
      telemetry: { appInsights: { byIdentity: true, clientId: expect.any(String) }, otlp: undefined },
      capturesContent: false,
    });
    expect(config.cosmos.endpoint).toMatch(/^https:/);
  });

  test("the app's database is the one that is created", () => {
    const databases = snapshot.of("Microsoft.DocumentDB/databaseAccounts/sqlDatabases").map(lastName);
    expect(databases).toEqual([readConfig(deployed(snapshot.settings)).cosmos.database]);
  });

  test("the settings are the app's or the host's", () => {
    const known = [
      ...found(read("docs/operations.md"), /^\| `(\w+)` \|/gm),
      "ServiceBusConnection__fullyQualifiedNamespace",
    ];
    const ofTheHost =
      /^(AzureWebJobs(Storage__\w+|DisableHomepage)|ServiceBusConnection__\w+|APPLICATIONINSIGHTS_\w+)$/;
    const unknown = Object.keys(snapshot.settings).filter((name) => !known.includes(name) && !ofTheHost.test(name));
    expect(unknown).toEqual([]);
  });

  test("ready instances are of functions that there are", () => {
    const names = found(read("functions/run-worker.ts"), /serviceBusQueue\("([\w-]+)"/g);
    const where = "properties.functionAppConfig.scaleAndConcurrency.alwaysReady[].name";
    const groups = snapshot.values(TYPES.site, where).filter((name) => name !== "http");
    expect(groups.filter((name) => !names.includes(String(name).replace("function:", "")))).toEqual([]);
  });

  test("every output has a value", () => {
    expect(Object.keys(snapshot.outputs).sort()).toEqual([...outputs].sort());
  });
});

test("the model of the private configuration is called at its own endpoint, by identity", () => {
  const { model } = readConfig(deployed(Snapshot.read("private").settings));
  expect(model.endpoint).toMatch(/^https:\/\/oai-threadkeep-\w+\.openai\.azure\.com\/openai\/v1$/);
  expect(model.key).toBeUndefined();
});

test("an embedding model that is deployed beside the chat model is the one that the app asks for", () => {
  const snapshot = Snapshot.read("private");
  const { embeddings } = readConfig(deployed(snapshot.settings));
  expect(snapshot.of("Microsoft.CognitiveServices/accounts/deployments").map(lastName)).toContain(embeddings.model);
});

test("an embedding model elsewhere is called there, with its key from the vault", () => {
  const { settings } = Snapshot.read("default");
  expect(readConfig(deployed(settings)).embeddings).toMatchObject({
    model: "text-embedding-3-small",
    endpoint: "https://embeddings.example.com/v1",
    key: "value-of-EMBEDDING_KEY",
  });
  expect(settings.EMBEDDING_KEY).toContain("embeddingKeySecretUri");
});

test("APP_SETTINGS reach the app", () => {
  const { runs, model } = readConfig(deployed(Snapshot.read("private").settings));
  expect([runs.lifetime, model.contextTokens]).toEqual([1200, 200_000]);
});

test("what alerts and the workbook look for in the log is what the code writes there", () => {
  const queries = [
    ...Snapshot.read("private").values("Microsoft.Insights/scheduledQueryRules", "properties.criteria.allOf[].query"),
    ...valuesAt(JSON.parse(read("infra/workbook.json")), "items[].content.query").filter(
      (query) => query !== undefined,
    ),
  ];
  const texts = queries.flatMap((query) => found(String(query), /\bhas(?:_any)? \(?((?:"[^"]+"(?:, )?)+)/g));
  const messages = new Set(texts.flatMap((text) => found(text, /"([^"]+)"/g)));
  expect(messages.size).toBeGreaterThan(5);
  // The sweep puts the kind of what it woke into a template.
  const written = sources.replace("sweep woke overdue $" + "{what}", "sweep woke overdue runs");
  expect([...messages].filter((message) => !written.includes(message))).toEqual([]);
});

test("what the workbook looks for among the metrics is what the code measures", () => {
  const queries = valuesAt(JSON.parse(read("infra/workbook.json")), "items[].content.query").map(String);
  const names = queries
    .filter((query) => query.startsWith("AppMetrics"))
    .flatMap((query) => found(query, /\bName (?:==|in) \(?((?:"[^"]+"(?:, )?)+)/g))
    .flatMap((text) => found(text, /"([^"]+)"/g));
  expect(names.length).toBeGreaterThan(4);
  expect(names.filter((name) => !(name in METRICS))).toEqual([]);
});

test("the host records answered 5xx, and leaves the app's log to the app", () => {
  const host: unknown = JSON.parse(read("host.json"));
  expect(host).toMatchObject({
    telemetryMode: "OpenTelemetry",
    logging: {
      logLevel: { "Host.Results": "Information" },
      OpenTelemetry: { logLevel: { "Host.Function.Console": "None" } },
    },
  });
});

test("the workbook is JSON, and shows the resources of its deployment", () => {
  for (const configuration of CONFIGURATIONS) {
    const [text] = Snapshot.read(configuration).values("Microsoft.Insights/workbooks", "properties.serializedData");
    const workbook: unknown = JSON.parse(String(text));
    const resources = [
      ...valuesAt(workbook, "items[].content.resourceIds[]"),
      ...valuesAt(workbook, "items[].content.crossComponentResources[]"),
    ];
    expect(resources.length).toBe(12);
    expect(resources.filter((id) => !/^\/subscriptions\/.*threadkeep-\w+$/.test(String(id)))).toEqual([]);
  }
});

test("azd gives main.bicep each of its parameters, and its defaults are the template's", () => {
  expect(Object.keys(parameters.parameters)).toEqual(found(main, /^param (\w+) /gm));
  const defaults = Object.entries(parameters.parameters).map(([name, { value }]) => [
    name,
    value.match(/=(.*)\}/)?.[1],
  ]);
  const declared = found(main, /^param (\w+) /gm).map((name) => {
    const text = main.match(new RegExp(`^param ${name} \\w+ = (.*)$`, "m"))?.[1];
    const value = text?.replace(/^'(.*)'$/, "$1");
    return [name, value === "" ? undefined : value];
  });
  expect(defaults).toEqual(declared);
});

test("docs/deploy.md has every option and every output, and no others", () => {
  const docs = read("docs/deploy.md");
  const options = Object.values(parameters.parameters).flatMap(({ value }) => found(value, /\$\{(\w+)/g));
  const documented = found(docs, /^\| `([A-Z][A-Z_]+)` \|/gm);
  expect(documented.sort()).toEqual([...options, ...outputs].sort());
});

const uncapitalized = (text: string) => text.charAt(0).toLowerCase() + text.slice(1);

/** Settings as the app would get them: with what only a deployment knows, and the secrets of the vault. */
function deployed(settings: Record<string, string>): Record<string, string> {
  const given = Object.entries(settings).map(([name, value]) => [name, value.startsWith("[") ? stand(name) : value]);
  return Object.fromEntries(given);
}

/** What stands in for an expression. */
function stand(name: string): string {
  if (name === "API_KEYS") return "default:tk-0123456789abcdef";
  if (name === "APPLICATIONINSIGHTS_CONNECTION_STRING")
    return "InstrumentationKey=00000000-0000-0000-0000-000000000001";
  if (name === "APPLICATIONINSIGHTS_AUTHENTICATION_STRING") return "ClientId=the-identity;Authorization=AAD";
  return name.endsWith("_ENDPOINT") ? "https://endpoint.example.com" : `value-of-${name}`;
}
