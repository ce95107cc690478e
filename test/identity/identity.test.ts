/** No key in any setting: the app and its callers have tokens of Microsoft Entra ID, here of the local directory. */
import { randomUUID } from "node:crypto";
import { AgentsClient, type MessageTextContent } from "@azure/ai-agents";
import { getBearerTokenProvider } from "@azure/identity";
import OpenAI, { AzureOpenAI } from "openai";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import type { Principal } from "../../local/identity/tokens.ts";
import { controlModel } from "../../local/model/control.ts";
import { until } from "../e2e/harness.ts";
import { badTokens } from "./bad-tokens.ts";
import {
  AZURE_OPENAI,
  CALLERS,
  credentialOf,
  Directory,
  FOUNDRY,
  httpsFront,
  type KeylessStack,
  startInstance,
  startKeyless,
  storeRequests,
} from "./world.ts";

let stack: KeylessStack;
let directory: Directory;
let origin: string;

beforeAll(async () => {
  // The sweep asks the store as well.
  stack = await startKeyless({ "AzureWebJobs.sweep.Disabled": "true" });
  directory = new Directory(stack);
  origin = new URL(stack.baseUrl).origin;
});

afterAll(() => stack?.stop());

const API_VERSION = "2024-08-01-preview";
const POLL = { pollIntervalMs: 30 };
const WEATHER = { type: "function" as const, function: { name: "get_weather", parameters: {} } };
const TURNS = [{ toolCalls: [{ id: "call_1", name: "get_weather", arguments: {} }] }, { text: "It rains." }];

const script = (model: string, turns: object[]) => controlModel(stack.model.baseUrl).script(model, turns);

const azureOf = (token: () => Promise<string>) =>
  new AzureOpenAI({ endpoint: origin, apiVersion: API_VERSION, azureADTokenProvider: token, maxRetries: 0 });

const clientOf = (principal: Principal) => azureOf(() => directory.token(principal));

const asked = async () => {
  const response = await fetch(`${stack.identity.authority}/_local/requests`);
  return (await response.json()) as { tokens: { resource: string; clientId?: string; status: number }[]; keys: number };
};

describe("without any key", () => {
  test("code for Azure OpenAI holds a conversation: in the background, with tools, streamed", async () => {
    const credential = credentialOf(stack, CALLERS.service.clientId);
    const { beta } = azureOf(getBearerTokenProvider(credential, `${AZURE_OPENAI}/.default`));
    await script("keyless", [...TURNS, { text: "Still raining." }]);

    const assistant = await beta.assistants.create({ model: "keyless", tools: [WEATHER] });
    const thread = await beta.threads.create({ messages: [{ role: "user", content: "Is it raining?" }] });
    const paused = await beta.threads.runs.createAndPoll(thread.id, { assistant_id: assistant.id }, POLL);
    expect(paused.status).toBe("requires_action");
    const outputs = { thread_id: thread.id, tool_outputs: [{ tool_call_id: "call_1", output: "yes" }] };
    const run = await beta.threads.runs.submitToolOutputsAndPoll(paused.id, outputs, POLL);
    expect(run).toMatchObject({ status: "completed", last_error: null });
    const stream = beta.threads.runs.stream(thread.id, { assistant_id: assistant.id });
    expect((await stream.finalRun()).status).toBe("completed");

    const { data } = await beta.threads.messages.list(thread.id, { order: "asc" });
    expect(data.map(({ content }) => content[0])).toMatchObject(
      ["Is it raining?", "It rains.", "Still raining."].map((value) => ({ text: { value } })),
    );
  });

  test("code for Foundry does the same", async () => {
    const front = await httpsFront(stack);
    const credential = credentialOf(stack, CALLERS.service.clientId);
    const client = new AgentsClient(`${front.origin}/api/projects/demo`, credential);
    await script("keyless-agent", [...TURNS, { text: "Still raining." }]);

    const tools = [{ type: "function" as const, function: { name: "get_weather", parameters: {} } }];
    const agent = await client.createAgent("keyless-agent", { instructions: "Help.", tools });
    const thread = await client.threads.create({ messages: [{ role: "user", content: "Is it raining?" }] });
    const { id } = await client.runs.create(thread.id, agent.id);
    const reached = (status: string) => until(async () => (await client.runs.get(thread.id, id)).status === status);
    await reached("requires_action");
    await client.runs.submitToolOutputs(thread.id, id, [{ toolCallId: "call_1", output: "yes" }]);
    await reached("completed");
    const events: string[] = [];
    for await (const { event } of await client.runs.create(thread.id, agent.id).stream()) events.push(event);
    expect(events).toContain("thread.run.completed");

    const texts: string[] = [];
    for await (const { content } of client.messages.list(thread.id, { order: "asc" })) {
      texts.push((content[0] as MessageTextContent).text.value);
    }
    expect(texts).toEqual(["Is it raining?", "It rains.", "Still raining."]);
    front.close();
  });

  test("the app asked for tokens of the store, the queue and the model, as its own identity and as nothing else", async () => {
    const [own = ""] = stack.identity.userAssigned;
    const { tokens } = await asked();
    const resources = new Set(tokens.filter(({ clientId }) => clientId === own).map(({ resource }) => resource));
    expect([...resources].sort()).toEqual(
      [AZURE_OPENAI, "https://servicebus.azure.net/", stack.cosmos.endpoint].sort(),
    );
    expect(tokens.filter(({ status }) => status !== 200)).toEqual([]);
  });
});

describe("a caller is let in", () => {
  test.each<[string, Principal]>([
    ["an application, by its id", CALLERS.service],
    ["by an app role", CALLERS.worker],
    ["a user, by a group", CALLERS.member],
    ["a user, by the object id, which the setting has in capitals", CALLERS.user],
  ])("%s, to the tenant of that entry and no other", async (_, principal) => {
    const { beta } = clientOf(principal);
    const thread = await beta.threads.create({ metadata: { of: principal.clientId } });
    expect(await beta.threads.retrieve(thread.id)).toEqual(thread);
    const others = Object.values(CALLERS).filter((each) => each !== principal && each !== CALLERS.stranger);
    for (const other of others) {
      const call = clientOf(other).beta.threads.retrieve(thread.id);
      await expect(call).rejects.toMatchObject({
        status: 404,
        error: { message: `No thread found with id '${thread.id}'.`, type: "invalid_request_error" },
      });
    }
  });

  test.each([
    ["of the newer form", AZURE_OPENAI, 2],
    ["whose audience ends in a slash", `${AZURE_OPENAI}/`, 1],
    ["for Foundry", FOUNDRY, 1],
    ["for Foundry, with a slash", `${FOUNDRY}/`, 2],
    ["for a scope in full", `${FOUNDRY}/.default`, 1],
  ])("with a token %s, under every base", async (_, audience, version) => {
    const authorization = `Bearer ${await directory.token(CALLERS.worker, audience, { version })}`;
    for (const path of BASES) {
      expect((await fetch(origin + path, { headers: { authorization } })).status).toBe(200);
    }
  });

  test("within a minute after the end of the token, as clocks differ", async () => {
    const token = await directory.token(CALLERS.worker, AZURE_OPENAI, { lifetime: -20 });
    const { status } = await fetch(origin + BASES[0], { headers: { authorization: `Bearer ${token}` } });
    expect(status).toBe(200);
  });
});

const BASES = [
  `/openai/assistants?api-version=${API_VERSION}`,
  "/v1/assistants",
  "/api/projects/demo/assistants?api-version=v1",
] as const;

const INVALID =
  "Unauthorized. Access token is missing, invalid, audience is incorrect (https://cognitiveservices.azure.com), or have expired.";
const DENIED = "Principal does not have access to API/Operation.";

const inOpenAi = (message: string) => ({
  error: { message, type: "invalid_request_error", param: null, code: "invalid_api_key" },
});

describe("a caller is refused", () => {
  async function refusals(token: string) {
    const headers = { authorization: `Bearer ${token}`, "content-type": "application/json" };
    const body = JSON.stringify({ model: "m" });
    const answers = BASES.map(async (path) => {
      const response = await fetch(origin + path, { method: "POST", headers, body });
      return { status: response.status, body: (await response.json()) as unknown };
    });
    return Promise.all(answers);
  }

  test("with each of more than thirty bad tokens, under every base, and nothing is read or written", async () => {
    const bad = await badTokens(directory);
    expect(bad.length).toBeGreaterThan(30);
    const gateway = { status: 401, body: { error: { code: "401", message: INVALID } } };
    const service = { status: 401, body: inOpenAi(INVALID) };
    const before = await storeRequests(stack);
    for (const { what, token } of bad) {
      expect({ what, answers: await refusals(token) }).toEqual({ what, answers: [gateway, service, gateway] });
    }
    expect(await storeRequests(stack)).toBe(before);
  });

  test("with a valid token of an identity that no entry of CALLERS names", async () => {
    const gateway = { status: 401, body: { error: { code: "PermissionDenied", message: DENIED } } };
    const before = await storeRequests(stack);
    const answers = await refusals(await directory.token(CALLERS.stranger));
    expect(answers).toEqual([gateway, { status: 401, body: inOpenAi(DENIED) }, gateway]);
    expect(await storeRequests(stack)).toBe(before);
  });

  test("a user who signed in to an application is not taken for that application", async () => {
    const token = await directory.token({ ...CALLERS.user, objectId: undefined, clientId: CALLERS.service.clientId });
    expect((await refusals(token)).map(({ status }) => status)).toEqual([401, 401, 401]);
  });

  test("with a good token in the header of keys, where Azure does not take one either", async () => {
    const headers = { "api-key": await directory.token(CALLERS.worker) };
    expect((await fetch(origin + BASES[0], { headers })).status).toBe(401);
  });

  test("however many bad tokens name keys that do not exist, the directory is not asked for each", async () => {
    const before = (await asked()).keys;
    const claims = directory.claims(CALLERS.service);
    const tokens = await Promise.all(Array.from({ length: 50 }, (_, n) => directory.sign(claims, { kid: `no-${n}` })));
    const statuses = await Promise.all(
      tokens.map(async (token) => (await refusals(token)).map(({ status }) => status)),
    );
    expect(new Set(statuses.flat())).toEqual(new Set([401]));
    expect((await asked()).keys - before).toBeLessThanOrEqual(2);
  });
});

test("two tenants by token see nothing of each other's, whatever they try", async () => {
  const owner = clientOf(CALLERS.worker).beta;
  const { assistants, threads } = clientOf(CALLERS.member).beta;
  const assistant = await owner.assistants.create({ model: "m" });
  const thread = await owner.threads.create({ messages: [{ role: "user", content: "Secret" }] });
  const run = await owner.threads.runs.createAndPoll(thread.id, { assistant_id: assistant.id }, POLL);

  const inThread = { thread_id: thread.id };
  const noThread = `No thread found with id '${thread.id}'.`;
  const noAssistant = `No assistant found with id '${assistant.id}'.`;
  const own = await assistants.create({ model: "m" });
  const tries: [() => Promise<unknown>, string][] = [
    [() => threads.retrieve(thread.id), noThread],
    [() => threads.update(thread.id, { metadata: {} }), noThread],
    [() => threads.delete(thread.id), noThread],
    [() => threads.messages.list(thread.id), noThread],
    [() => threads.messages.create(thread.id, { role: "user", content: "Hello" }), noThread],
    [() => threads.runs.list(thread.id), noThread],
    [() => threads.runs.retrieve(run.id, inThread), noThread],
    [() => threads.runs.create(thread.id, { assistant_id: own.id }), noThread],
    [() => assistants.retrieve(assistant.id), noAssistant],
    [() => assistants.update(assistant.id, { name: "mine" }), noAssistant],
    [() => assistants.delete(assistant.id), noAssistant],
  ];
  for (const [call, message] of tries) {
    const error = { message, type: "invalid_request_error", param: null, code: null };
    await expect(call()).rejects.toMatchObject({ status: 404, error });
  }
  expect((await assistants.list()).data.map(({ id }) => id)).toEqual([own.id]);
  expect(await owner.threads.retrieve(thread.id)).toEqual(thread);
});

test("a client of OpenAI's form takes the token in place of the key", async () => {
  const client = new OpenAI({ baseURL: stack.baseUrl, apiKey: () => directory.token(CALLERS.user), maxRetries: 0 });
  const thread = await client.beta.threads.create();
  expect(await client.beta.threads.retrieve(thread.id)).toEqual(thread);
});

describe("the log of the app", () => {
  test("has the reason of a refusal, and no word of a token", async () => {
    const refused = await directory.token(CALLERS.worker, "https://graph.microsoft.com");
    await fetch(origin + BASES[0], { headers: { authorization: `Bearer ${refused}` } });
    const { lastLines } = stack.processes.functions;
    await until(async () => lastLines.some((line) => line.includes("a caller's token was refused reason=")));
    expect(lastLines.join("\n")).not.toMatch(/eyJ[\w-]{10}/);
  });

  test("tells a wrong AZURE_CLIENT_ID in one line, with the platform's reason", async () => {
    const wrong = randomUUID();
    const { lines, stop } = await startInstance(stack, { AZURE_CLIENT_ID: wrong });
    const line = await until(async () => lines.find((each) => each.includes("consistency could not be read")));
    expect(line).toContain(`AZURE_CLIENT_ID=${wrong} got no token for ${stack.cosmos.endpoint}/.default: `);
    expect(line).toContain("No User Assigned or Delegated Managed Identity found for specified ClientId");
    await stop();
  });
});
