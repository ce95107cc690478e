import OpenAI from "openai";
import type { ChatCompletionChunk, ChatCompletionFunctionTool } from "openai/resources/chat/completions";
import { afterAll, beforeAll, expect, test } from "vitest";
import { type RunningModel, startModel } from "../../../local/model/server.ts";

let server: RunningModel;
let client: OpenAI;

beforeAll(async () => {
  server = await startModel();
  client = new OpenAI({ baseURL: server.baseUrl, apiKey: "any", maxRetries: 0 });
});
afterAll(() => server.stop());

const WEATHER: ChatCompletionFunctionTool = {
  type: "function",
  function: {
    name: "get_weather",
    description: "The weather of a city",
    parameters: {
      type: "object",
      properties: {
        city: { type: "string", description: "The city, e.g. San Francisco" },
        unit: { type: "string", enum: ["celsius", "fahrenheit"] },
        days: { type: "integer", minimum: 3 },
        note: { type: "string" },
      },
      required: ["city", "unit", "days"],
    },
  },
};
const CLOCK: ChatCompletionFunctionTool = { type: "function", function: { name: "get_time" } };

const user = (content: string) => ({ role: "user" as const, content });

async function chunksOf(body: OpenAI.ChatCompletionCreateParamsStreaming): Promise<ChatCompletionChunk[]> {
  const chunks: ChatCompletionChunk[] = [];
  for await (const chunk of await client.chat.completions.create(body)) chunks.push(chunk);
  return chunks;
}

test("without a script the answer quotes the user's last message and says that it is a simulation", async () => {
  const { data, response } = await client.chat.completions
    .create({
      model: "plain",
      messages: [user("first"), { role: "assistant", content: "yes?" }, user("What is the refund period?")],
    })
    .withResponse();
  expect(data.choices[0]?.message.content).toContain("What is the refund period?");
  expect(data.choices[0]?.message.content).toContain("simulated");
  expect(data.choices[0]?.message.content).toContain("number 2");
  expect(data.choices[0]?.finish_reason).toBe("stop");
  expect(data.system_fingerprint).toBe("simulated");
  expect(response.headers.get("x-simulated-model")).toBe("threadkeep");
});

test("a stream says the role first, then the words, then why it ended, and the same text as the whole answer", async () => {
  const messages = [user("Tell me about llamas")];
  const chunks = await chunksOf({ model: "plain", messages, stream: true });
  expect(chunks[0]?.choices[0]?.delta).toEqual({ role: "assistant", content: "", refusal: null });
  expect(chunks.at(-1)?.choices[0]).toMatchObject({ delta: {}, finish_reason: "stop" });
  expect(chunks.length).toBeGreaterThan(10);
  expect(new Set(chunks.map((chunk) => chunk.id)).size).toBe(1);
  expect(chunks.every((chunk) => chunk.object === "chat.completion.chunk" && !("usage" in chunk))).toBe(true);
  const whole = await client.chat.completions.create({ model: "plain", messages });
  const text = chunks.map((chunk) => chunk.choices[0]?.delta.content ?? "").join("");
  expect(text).toBe(whole.choices[0]?.message.content);
});

test("include_usage adds a last chunk without choices and a null usage to the others", async () => {
  const chunks = await chunksOf({
    model: "plain",
    messages: [user("12345678")],
    stream: true,
    stream_options: { include_usage: true },
  });
  const last = chunks.at(-1);
  expect(last?.choices).toEqual([]);
  // Four for the message's frame and two for its eight characters.
  expect(last?.usage?.prompt_tokens).toBe(6);
  expect(last?.usage?.total_tokens).toBe(6 + (last?.usage?.completion_tokens ?? 0));
  expect(chunks.slice(0, -1).every((chunk) => chunk.usage === null)).toBe(true);
});

test("a function that the user names is called with arguments that its schema allows", async () => {
  const completion = await client.chat.completions.create({
    model: "plain",
    messages: [user("Please use get_weather now")],
    tools: [CLOCK, WEATHER],
  });
  const message = completion.choices[0]?.message;
  expect(completion.choices[0]?.finish_reason).toBe("tool_calls");
  expect(message?.content).toBeNull();
  expect(message?.tool_calls).toHaveLength(1);
  const call = message?.tool_calls?.[0];
  expect(call?.id).toMatch(/^call_[a-z0-9]{24}$/);
  expect(call?.type === "function" && [call.function.name, JSON.parse(call.function.arguments)]).toEqual([
    "get_weather",
    { city: "San Francisco", unit: "celsius", days: 3 },
  ]);
});

test("two named functions are called in parallel, or one if the request forbids it", async () => {
  const request = { model: "plain", messages: [user("get_weather and get_time")], tools: [WEATHER, CLOCK] };
  const both = await client.chat.completions.create(request);
  expect(both.choices[0]?.message.tool_calls).toHaveLength(2);
  const one = await client.chat.completions.create({ ...request, parallel_tool_calls: false });
  expect(one.choices[0]?.message.tool_calls).toHaveLength(1);
});

test("tool_choice none calls nothing, required calls something, a name calls that function", async () => {
  const create = async (tool_choice: OpenAI.ChatCompletionToolChoiceOption, text: string) => {
    const messages = [user(text)];
    const tools = [WEATHER, CLOCK];
    const completion = await client.chat.completions.create({ model: "plain", messages, tools, tool_choice });
    const choice = completion.choices[0];
    const names = (choice?.message.tool_calls ?? []).map((call) => call.type === "function" && call.function.name);
    return [names, choice?.finish_reason];
  };
  expect(await create("none", "get_time")).toEqual([[], "stop"]);
  expect(await create("auto", "hello")).toEqual([[], "stop"]);
  expect(await create("required", "hello")).toEqual([["get_weather"], "tool_calls"]);
  const named = { type: "function" as const, function: { name: "get_time" } };
  // "stop" is what the real API says when the name is forced.
  expect(await create(named, "hello")).toEqual([["get_time"], "stop"]);
});

test("after the tools have answered, the model says what they returned", async () => {
  const completion = await client.chat.completions.create({
    model: "plain",
    messages: [
      user("get_weather please"),
      {
        role: "assistant",
        tool_calls: [{ id: "call_1", type: "function", function: { name: "get_weather", arguments: "{}" } }],
      },
      { role: "tool", tool_call_id: "call_1", content: "57F and foggy" },
    ],
    tools: [WEATHER],
  });
  expect(completion.choices[0]?.message.tool_calls).toBeUndefined();
  expect(completion.choices[0]?.message.content).toContain("get_weather returned: 57F and foggy");
});

test("the SDK's stream helper puts two streamed tool calls together", async () => {
  server.script("parallel-calls", [
    {
      text: "Let me look.",
      toolCalls: [
        { id: "call_a", name: "get_weather", arguments: { city: "Paris" } },
        { id: "call_b", name: "get_time", pieces: ['{"zo', 'ne":"CET"}'] },
      ],
    },
  ]);
  const stream = client.chat.completions.stream({ model: "parallel-calls", messages: [user("hi")] });
  const message = (await stream.finalChatCompletion()).choices[0]?.message;
  expect(message?.content).toBe("Let me look.");
  expect(message?.tool_calls).toMatchObject([
    { id: "call_a", type: "function", function: { name: "get_weather", arguments: '{"city":"Paris"}' } },
    { id: "call_b", type: "function", function: { name: "get_time", arguments: '{"zone":"CET"}' } },
  ]);
});

test("in a stream a call's id and name come once, then its arguments in pieces", async () => {
  server.script("one-call", [{ toolCalls: [{ id: "call_x", name: "f", pieces: ["{", "}"] }] }]);
  const chunks = await chunksOf({ model: "one-call", messages: [user("hi")], stream: true });
  expect(chunks.map((chunk) => chunk.choices[0]?.delta)).toEqual([
    {
      role: "assistant",
      content: null,
      refusal: null,
      tool_calls: [{ index: 0, id: "call_x", type: "function", function: { name: "f", arguments: "" } }],
    },
    { tool_calls: [{ index: 0, function: { arguments: "{" } }] },
    { tool_calls: [{ index: 0, function: { arguments: "}" } }] },
    {},
  ]);
  expect(chunks.at(-1)?.choices[0]?.finish_reason).toBe("tool_calls");
});

test("code is streamed line by line", async () => {
  const description = 'Runs code. Its files:\n- /mnt/data/sales.csv ("sales.csv", 9 bytes)';
  const parameters = { type: "object", properties: { code: { type: "string" } } };
  const tools: ChatCompletionFunctionTool[] = [
    { type: "function", function: { name: "python", description, parameters } },
  ];
  const chunks = await chunksOf({ model: "coder", stream: true, tools, messages: [user("Draw a chart.")] });
  const pieces = chunks.flatMap(({ choices }) => choices[0]?.delta.tool_calls?.[0]?.function?.arguments || []);
  const { code } = JSON.parse(pieces.join(""));
  expect(code).toContain('open("/mnt/data/sales.csv")');
  const lines = code.split("\n").length;
  expect(pieces.length).toBeGreaterThanOrEqual(lines);
  expect(pieces.length).toBeLessThan(1.5 * lines);
});

test("max_tokens cuts the answer, says length and counts exactly so many tokens", async () => {
  for (const limit of [{ max_tokens: 3 }, { max_completion_tokens: 3 }]) {
    const completion = await client.chat.completions.create({ model: "plain", messages: [user("hi")], ...limit });
    expect(completion.choices[0]?.message.content).toBe("This is a si");
    expect(completion.choices[0]?.finish_reason).toBe("length");
    expect(completion.usage?.completion_tokens).toBe(3);
  }
});

test("a JSON response format is answered with JSON that fits the schema", async () => {
  const messages = [user("Give me JSON")];
  const object = await client.chat.completions.create({
    model: "plain",
    messages,
    response_format: { type: "json_object" },
  });
  expect(JSON.parse(object.choices[0]?.message.content ?? "")).toMatchObject({ simulated: true });
  const schema = {
    $defs: { Item: { type: "object", properties: { price: { type: "number" } }, required: ["price"] } },
    type: "object",
    properties: { items: { type: "array", items: { $ref: "#/$defs/Item" }, minItems: 2 }, ok: { const: "yes" } },
    required: ["items", "ok"],
  };
  const fitted = await client.chat.completions.create({
    model: "plain",
    messages,
    response_format: { type: "json_schema", json_schema: { name: "order", schema } },
  });
  expect(JSON.parse(fitted.choices[0]?.message.content ?? "")).toEqual({
    items: [{ price: 1 }, { price: 1 }],
    ok: "yes",
  });
});

test("a tool call without its tool message is refused in the words of the real API", async () => {
  const calling = {
    role: "assistant" as const,
    tool_calls: [{ id: "call_9", type: "function" as const, function: { name: "f", arguments: "{}" } }],
  };
  await expect(
    client.chat.completions.create({ model: "plain", messages: [user("a"), calling, user("b")] }),
  ).rejects.toMatchObject({ status: 400, message: expect.stringContaining("did not have response messages: call_9") });
  await expect(
    client.chat.completions.create({
      model: "plain",
      messages: [user("a"), { role: "tool", tool_call_id: "call_9", content: "x" }],
    }),
  ).rejects.toMatchObject({ status: 400, message: expect.stringContaining("must be a response to a preceeding") });
});
