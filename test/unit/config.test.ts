import { describe, expect, test } from "vitest";
import { digestOf } from "../../src/access-settings.ts";
import { misspelt, readConfig } from "../../src/config.ts";

const REQUIRED = {
  COSMOS_ENDPOINT: "https://acme.documents.azure.com",
  MODEL_ENDPOINT: "http://127.0.0.1:8080/v1",
  ServiceBusConnection: "Endpoint=sb://acme;SharedAccessKeyName=n;SharedAccessKey=bus-secret",
};

const read = (changes: Record<string, string | undefined> = {}) => readConfig({ ...REQUIRED, ...changes });

function complaint(changes: Record<string, string | undefined>): string {
  try {
    read(changes);
  } catch (error) {
    return error instanceof Error ? error.message : "";
  }
  throw new Error("the settings were accepted");
}

const KEY = "0123456789abcdef";

test("three settings are enough, and the rest has defaults", () => {
  expect(read()).toMatchObject({
    apiKeys: [],
    cosmos: {
      endpoint: REQUIRED.COSMOS_ENDPOINT,
      key: undefined,
      database: "threadkeep",
      createContainers: false,
    },
    serviceBus: { connectionString: REQUIRED.ServiceBusConnection },
    model: {
      endpoint: REQUIRED.MODEL_ENDPOINT,
      key: undefined,
      apiVersion: undefined,
      firstTokenTimeout: 120_000,
      tokenTimeout: 60_000,
      maxAttempts: 4,
      contextTokens: 100_000,
    },
    embeddings: {
      model: undefined,
      endpoint: REQUIRED.MODEL_ENDPOINT,
      key: undefined,
      apiVersion: undefined,
      dimensions: 256,
    },
    code: undefined,
    runs: { lifetime: 600, lease: 20 },
    limits: { requests: 500, streams: 2_000, overdueRuns: 10_000 },
    showCosts: false,
    managedIdentityClientId: undefined,
  });
});

test("every setting arrives where it belongs, times of the model in milliseconds", () => {
  const config = read({
    API_KEYS: `acme:${KEY}`,
    COSMOS_KEY: "cosmos-secret",
    COSMOS_DATABASE: "threads-of-acme",
    COSMOS_CREATE_CONTAINERS: "true",
    EMBEDDING_DIMENSIONS: "1536",
    MODEL_KEY: "model-secret",
    MODEL_API_VERSION: "2024-10-21",
    MODEL_FIRST_TOKEN_TIMEOUT: "30",
    MODEL_TOKEN_TIMEOUT: "2.5",
    MODEL_MAX_ATTEMPTS: "7",
    MODEL_CONTEXT_TOKENS: "8000",
    RUN_LIFETIME: "3600",
    RUN_LEASE: "5",
    MAX_REQUESTS: "50",
    MAX_STREAMS: "100",
    MAX_OVERDUE_RUNS: "0",
    MAX_BODIES_MB: "16",
    MAX_UNREAD_MB: "2",
    SHOW_COSTS: "true",
    AZURE_CLIENT_ID: "11111111-2222-3333-4444-555555555555",
  });
  expect(config).toMatchObject({
    apiKeys: [{ tenant: "acme", digest: digestOf(KEY) }],
    cosmos: { key: "cosmos-secret", database: "threads-of-acme", createContainers: true },
    model: {
      key: "model-secret",
      apiVersion: "2024-10-21",
      firstTokenTimeout: 30_000,
      tokenTimeout: 2_500,
      maxAttempts: 7,
      contextTokens: 8_000,
    },
    runs: { lifetime: 3_600, lease: 5 },
    limits: { requests: 50, streams: 100, overdueRuns: 0, bodyBytes: 16_777_216, unread: 2_097_152 },
    showCosts: true,
    managedIdentityClientId: "11111111-2222-3333-4444-555555555555",
  });
});

test("an empty setting is one that is not set, as the Azure portal leaves it behind", () => {
  expect(read({ API_KEYS: "", COSMOS_KEY: "", RUN_LEASE: "", COSMOS_DATABASE: "", MODEL_KEY: "" })).toEqual(read());
});

test("settings of others in the same environment are no business of ours", () => {
  expect(read({ PATH: "/usr/bin", AzureWebJobsStorage: "x" })).toEqual(read());
});

test("without a connection string, the namespace of Service Bus is used with an identity", () => {
  const namespace = "acme.servicebus.windows.net";
  const given = { ServiceBusConnection: undefined, ServiceBusConnection__fullyQualifiedNamespace: namespace };
  expect(read(given).serviceBus).toEqual({ namespace });
});

test("code runs where the settings say, for as long as they say; nowhere without an endpoint", () => {
  const CODE_SESSIONS_ENDPOINT = "http://127.0.0.1:7070/pool";
  expect(read({ CODE_SESSIONS_KEY: "code-secret", CODE_TIMEOUT: "20" }).code).toBeUndefined();
  expect(read({ CODE_SESSIONS_ENDPOINT }).code).toEqual({
    endpoint: CODE_SESSIONS_ENDPOINT,
    key: undefined,
    timeout: 60,
  });
  expect(read({ CODE_SESSIONS_ENDPOINT, CODE_SESSIONS_KEY: "code-secret", CODE_TIMEOUT: "200" }).code).toEqual({
    endpoint: CODE_SESSIONS_ENDPOINT,
    key: "code-secret",
    timeout: 200,
  });
  for (const CODE_TIMEOUT of ["0", "201", "1.5", "soon"])
    expect(complaint({ CODE_SESSIONS_ENDPOINT, CODE_TIMEOUT })).toContain("CODE_TIMEOUT is");
});

describe("the keys", () => {
  test("are a list of tenants, each with one key or more; blanks and empty entries do not matter", () => {
    expect(read({ API_KEYS: ` acme:${KEY}, acme:${KEY}2 ,,\n globex-2:${KEY}3,` }).apiKeys).toEqual([
      { tenant: "acme", digest: digestOf(KEY) },
      { tenant: "acme", digest: digestOf(`${KEY}2`) },
      { tenant: "globex-2", digest: digestOf(`${KEY}3`) },
    ]);
  });

  test("may hold colons", () => {
    expect(read({ API_KEYS: `acme:${KEY}:x` }).apiKeys).toEqual([{ tenant: "acme", digest: digestOf(`${KEY}:x`) }]);
  });

  test("may be given as their digests, so that the setting holds no secret", () => {
    const digest = digestOf(KEY);
    expect(read({ API_KEYS: `acme:sha256:${digest.toUpperCase()}` }).apiKeys).toEqual([{ tenant: "acme", digest }]);
    for (const wrong of ["", "sha1", digest.slice(1), `${digest}0`, `${digest.slice(1)}g`]) {
      expect(complaint({ API_KEYS: `acme:${KEY},acme:sha256:${wrong}` })).toContain(
        "API_KEYS (its value is not shown): entry 2 is not tenant:sha256: and 64 hexadecimal digits",
      );
    }
    expect(complaint({ API_KEYS: `acme:${KEY},globex:sha256:${digest}` })).toContain(
      "the key of entry 2 belongs to another tenant already",
    );
  });

  test.each([
    ["without a colon", KEY],
    ["without a tenant", `:${KEY}`],
    ["of a tenant in capitals", `Acme:${KEY}`],
    ["of a tenant that begins with a dash", `-acme:${KEY}`],
    ["of a tenant with a dot", `acme.com:${KEY}`],
    ["of a tenant of 64 characters", `${"a".repeat(64)}:${KEY}`],
  ])("%s are refused", (_, text) => {
    expect(complaint({ API_KEYS: text })).toContain(
      "- API_KEYS (its value is not shown): entry 1 is not tenant:key, the tenant being lower-case letters, digits and dashes",
    );
  });

  test("that are easy to guess are refused", () => {
    expect(complaint({ API_KEYS: "acme:0123456789abcde" })).toContain(
      "- API_KEYS (its value is not shown): the key of entry 1 is shorter than 16 characters",
    );
  });

  // The last one wins, so a caller of one tenant sees what another owns.
  test("that two tenants share are refused", () => {
    expect(complaint({ API_KEYS: `acme:${KEY},globex:${KEY}` })).toContain("API_KEYS");
  });
});

describe("callers with tokens", () => {
  const DIRECTORY = "AAAAAAAA-0000-4000-8000-000000000000";
  const GROUP = "11111111-2222-3333-4444-55555555555A";
  const entra = (changes: Record<string, string>) =>
    read({ ENTRA_TENANT_ID: DIRECTORY, CALLERS: "acme:role=Reader", ...changes }).entra;

  test("belong to tenants by role, group, application or subject, in the order of the setting", () => {
    const CALLERS = `acme:role=Some.Role, acme:group=${GROUP},,globex : app = ${GROUP}, globex:subject=AbC`;
    expect(entra({ CALLERS: CALLERS.replace("globex :", "globex:") })).toEqual({
      directory: DIRECTORY.toLowerCase(),
      authority: "https://login.microsoftonline.com",
      audiences: ["https://cognitiveservices.azure.com", "https://ai.azure.com"],
      callers: [
        { tenant: "acme", kind: "role", value: "Some.Role" },
        { tenant: "acme", kind: "group", value: GROUP.toLowerCase() },
        { tenant: "globex", kind: "app", value: GROUP.toLowerCase() },
        { tenant: "globex", kind: "subject", value: "AbC" },
      ],
    });
  });

  test("may ask for other audiences, which are compared without slash and /.default", () => {
    const ENTRA_AUDIENCES = "api://threadkeep/, https://ai.azure.com//.default,1234";
    expect(entra({ ENTRA_AUDIENCES })?.audiences).toEqual(["api://threadkeep", "https://ai.azure.com", "1234"]);
  });

  test.each([
    ["acme:role", "entry 1 is not tenant:kind=value, the tenant being"],
    ["Acme:role=R", "entry 1 is not tenant:kind=value, the tenant being"],
    ["acme:role=R,acme:name=x", "entry 2 is not tenant:kind=value, the kind being one of role, group, app, subject"],
    ["acme:group=Readers", "the group of entry 1 is not an id (a GUID): tokens do not have its name"],
    ["acme:app=my-app", "the app of entry 1 is not an id (a GUID)"],
    ["acme:role=R,globex:role=R", "the role of entry 2 belongs to another tenant already"],
    [`acme:app=${GROUP},globex:app=${GROUP.toLowerCase()}`, "the app of entry 2 belongs to another tenant already"],
  ])("%s is refused", (CALLERS, problem) => {
    expect(complaint({ ENTRA_TENANT_ID: DIRECTORY, CALLERS })).toContain(problem);
  });

  test.each([
    [{ ENTRA_TENANT_ID: "contoso.com", CALLERS: "a:role=R" }, "expected the id of a directory (a GUID)"],
    [{ ENTRA_TENANT_ID: DIRECTORY }, "- CALLERS is not set: with ENTRA_TENANT_ID it says which callers"],
    [{ CALLERS: "a:role=R" }, "- ENTRA_TENANT_ID is not set: with CALLERS it is the id of the directory"],
    [{ ENTRA_AUTHORITY: "http://login.microsoftonline.com" }, "ENTRA_AUTHORITY is"],
    [{ ENTRA_AUTHORITY: "login.microsoftonline.com" }, "expected an https URL"],
    [{ ENTRA_AUDIENCES: "," }, "expected one audience or more, comma separated"],
  ])("%o is refused", (changes, problem) => {
    expect(complaint(changes)).toContain(problem);
  });

  test("are checked with the keys of a server on this machine, if the settings say so", () => {
    expect(entra({ ENTRA_AUTHORITY: "http://127.0.0.1:4000/" })?.authority).toBe("http://127.0.0.1:4000");
  });

  test("have no tokens that count where nothing is set", () => {
    expect(read().entra).toBeUndefined();
  });
});

describe("a setting that is missing is named with what it should be:", () => {
  test.each(["COSMOS_ENDPOINT", "MODEL_ENDPOINT"])("%s", (name) => {
    expect(complaint({ [name]: undefined })).toBe(`Bad settings:\n- ${name} is not set: expected an http or https URL`);
  });

  test("ServiceBusConnection, or the namespace in its place", () => {
    expect(complaint({ ServiceBusConnection: undefined })).toBe(
      "Bad settings:\n- ServiceBusConnection is not set (a connection string), nor is " +
        "ServiceBusConnection__fullyQualifiedNamespace (name.servicebus.windows.net, used with a managed identity)",
    );
  });

  test("several at once", () => {
    const message = complaint({ COSMOS_ENDPOINT: undefined, MODEL_ENDPOINT: "", RUN_LEASE: "long" });
    expect(message.split("\n")).toHaveLength(4);
    for (const name of ["COSMOS_ENDPOINT", "MODEL_ENDPOINT", "RUN_LEASE"]) expect(message).toContain(`- ${name} is`);
  });

  // Service Bus is looked at only when everything else is right.
  test("several at once, also Service Bus", () => {
    const message = complaint({ COSMOS_ENDPOINT: undefined, ServiceBusConnection: undefined });
    for (const name of ["COSMOS_ENDPOINT", "ServiceBusConnection"]) expect(message).toContain(`- ${name} is not set`);
  });
});

describe("a setting that is wrong is shown with what is allowed:", () => {
  const URL_WANTED = "expected an http or https URL";
  const FLAG_WANTED = "expected true or false";
  const seconds = (from: number, to: number) => `expected a number of seconds from ${from} to ${to}`;

  test.each([
    ["COSMOS_ENDPOINT", "acme.documents.azure.com", URL_WANTED],
    ["COSMOS_ENDPOINT", "ftp://acme.documents.azure.com", URL_WANTED],
    ["MODEL_ENDPOINT", "ws://127.0.0.1/v1", URL_WANTED],
    ["MODEL_ENDPOINT", "/v1", URL_WANTED],
    ["COSMOS_CREATE_CONTAINERS", "yes", FLAG_WANTED],
    ["COSMOS_CREATE_CONTAINERS", "TRUE", FLAG_WANTED],
    ["SHOW_COSTS", "1", FLAG_WANTED],
    ["MODEL_FIRST_TOKEN_TIMEOUT", "0", seconds(1, 600)],
    ["MODEL_FIRST_TOKEN_TIMEOUT", "601", seconds(1, 600)],
    ["MODEL_TOKEN_TIMEOUT", "0.9", seconds(1, 600)],
    ["MODEL_TOKEN_TIMEOUT", "1m", seconds(1, 600)],
    ["MODEL_MAX_ATTEMPTS", "0", "expected a whole number from 1 to 20"],
    ["MODEL_MAX_ATTEMPTS", "21", "expected a whole number from 1 to 20"],
    ["MODEL_MAX_ATTEMPTS", "2.5", "expected a whole number"],
    ["MODEL_CONTEXT_TOKENS", "999", "expected a number of tokens from 1000 to 10000000"],
    ["MODEL_CONTEXT_TOKENS", "10000001", "expected a number of tokens from 1000 to 10000000"],
    ["MAX_REQUESTS", "0", "expected a whole number from 1 to 100000"],
    ["MAX_STREAMS", "many", "expected a whole number from 1 to 100000"],
    ["MAX_OVERDUE_RUNS", "-1", "expected a whole number from 0 to 100000"],
    ["RUN_LIFETIME", "0", "expected whole seconds from 1 to 86400"],
    ["RUN_LIFETIME", "86401", "expected whole seconds from 1 to 86400"],
    ["RUN_LEASE", "-1", seconds(1, 300)],
    ["RUN_LEASE", "301", seconds(1, 300)],
    ["RUN_LEASE", "Infinity", seconds(1, 300)],
    ["RUN_LEASE", "NaN", seconds(1, 300)],
    ["RUN_LEASE", " ", seconds(1, 300)],
  ])("%s: %s", (name, value, allowed) => {
    expect(complaint({ [name]: value })).toBe(`Bad settings:\n- ${name} is ${JSON.stringify(value)}: ${allowed}`);
  });

  test("and what is on the limit is allowed", () => {
    for (const changes of [
      { MODEL_FIRST_TOKEN_TIMEOUT: "1", MODEL_TOKEN_TIMEOUT: "600" },
      { MODEL_MAX_ATTEMPTS: "1", MODEL_CONTEXT_TOKENS: "1000" },
      { MODEL_MAX_ATTEMPTS: "20", MODEL_CONTEXT_TOKENS: "10000000" },
      { RUN_LIFETIME: "1", RUN_LEASE: "300" },
      { RUN_LIFETIME: "86400", RUN_LEASE: "1" },
    ]) {
      expect(() => read(changes)).not.toThrow();
    }
  });
});

test("a model's name that is mapped twice is refused, as one of the two would have no effect", () => {
  expect(complaint({ MODEL_NAMES: "a=b,c=d, a=c" })).toContain('MODEL_NAMES is "a=b,c=d, a=c": "a" stands there twice');
});

describe("a name that is almost that of a setting", () => {
  test.each([
    ["MODEL_ENDPONT", "MODEL_ENDPOINT"],
    ["MODEL_ENDPIONT", "MODEL_ENDPOINT"],
    ["model_endpoint", "MODEL_ENDPOINT"],
    ["API_KEY", "API_KEYS"],
    ["MODELNAMES", "MODEL_NAMES"],
    ["SERVICEBUSCONNECTION", "ServiceBusConnection"],
    ["RUN_LIFE_TIME", "RUN_LIFETIME"],
  ])("is named: %s", (name, meant) => {
    expect(misspelt({ [name]: "x" })).toEqual([`${name} is no setting: did you mean ${meant}?`]);
  });

  test("is left alone if it is empty, or the name of something else", () => {
    expect(misspelt({ MODEL_NAME: "" })).toEqual([]);
    const others = ["COSMOS_PORT", "MODEL_PORT", "SERVICE_BUS_PORT", "PORT", "AZURE_TENANT_ID", "AZURE_CLIENT_SECRET"];
    const usual = ["PATH", "HOME", "NODE_ENV", "ServiceBusConnection__clientId", "AzureWebJobsStorage"];
    expect(misspelt(Object.fromEntries([...others, ...usual].map((name) => [name, "x"])))).toEqual([]);
    expect(misspelt(REQUIRED)).toEqual([]);
  });
});

// The expires_at of a run would not be a whole number, as every time on the wire is.
test("the lifetime of a run is a whole number of seconds", () => {
  expect(complaint({ RUN_LIFETIME: "12.5" })).toContain("RUN_LIFETIME");
});

describe("secrets are never shown,", () => {
  const BAD = { RUN_LEASE: "bad" };

  test("neither the good ones beside a bad setting nor a bad key", () => {
    const secrets = {
      COSMOS_KEY: "cosmos-secret",
      MODEL_KEY: "model-secret",
      EMBEDDING_KEY: "embedding-secret",
      API_KEYS: `acme:${KEY}`,
    };
    const message = complaint({ ...secrets, ...BAD }) + complaint({ ...secrets, API_KEYS: `acme.com:${KEY}` });
    for (const secret of ["cosmos-secret", "model-secret", "embedding-secret", "bus-secret", KEY])
      expect(message).not.toContain(secret);
  });

  // What stands before the colon is taken for a tenant, and named.
  test("nor a key that was given in the place of its tenant", () => {
    const key = "d41d8cd98f00b204e9800998ecf8427e";
    expect(complaint({ API_KEYS: `${key}:acme` })).not.toContain(key);
  });

  // Only the settings that should hold secrets are hidden.
  test("nor one in a connection string that was given for the endpoint", () => {
    const text = "AccountEndpoint=https://acme.documents.azure.com:443/;AccountKey=cosmos-secret==;";
    expect(complaint({ COSMOS_ENDPOINT: text })).not.toContain("cosmos-secret");
  });
});

describe("embeddings come from the model's endpoint,", () => {
  const model = { MODEL_KEY: "model-secret", MODEL_API_VERSION: "2024-10-21", EMBEDDING_MODEL: "small" };
  const common = { model: "small", dimensions: 256 };
  const { MODEL_ENDPOINT: endpoint } = REQUIRED;

  test.each([
    ["with its key and version", {}, { endpoint, key: "model-secret", apiVersion: "2024-10-21" }],
    [
      "or from another path of the same server, with its key",
      { EMBEDDING_ENDPOINT: "http://127.0.0.1:8080/embed/v1" },
      { endpoint: "http://127.0.0.1:8080/embed/v1", key: "model-secret", apiVersion: undefined },
    ],
    [
      "or from another server, which never gets the model's key",
      { EMBEDDING_ENDPOINT: "http://127.0.0.1:8081/v1" },
      { endpoint: "http://127.0.0.1:8081/v1", key: undefined, apiVersion: undefined },
    ],
    [
      "or as the settings say",
      {
        EMBEDDING_ENDPOINT: "https://acme.openai.azure.com",
        EMBEDDING_KEY: "embedding-secret",
        EMBEDDING_API_VERSION: "2025-01-01",
        EMBEDDING_DIMENSIONS: "1536",
      },
      {
        endpoint: "https://acme.openai.azure.com",
        key: "embedding-secret",
        apiVersion: "2025-01-01",
        dimensions: 1536,
      },
    ],
  ])("%s", (_, changes, expected) => {
    expect(read({ ...model, ...changes }).embeddings).toEqual({ ...common, ...expected });
  });

  test.each(["0", "4097", "12.5", "many"])("dimensions cannot be %s", (EMBEDDING_DIMENSIONS) => {
    expect(complaint({ EMBEDDING_DIMENSIONS })).toMatch(/EMBEDDING_DIMENSIONS is ".*": expected a whole number/);
  });
});
