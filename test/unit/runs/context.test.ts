import fc from "fast-check";
import { describe, expect, test } from "vitest";
import type { Tool } from "../../../src/resources/common.ts";
import { placeOf } from "../../../src/resources/image.ts";
import { impossibleChoice, modelRequest, windowSize } from "../../../src/runs/context.ts";
import { type MessageDoc, seqOf } from "../../../src/store/documents.ts";
import { callsStep, functionCall, type MessageRequest, messageDoc, messageStep, place, runDoc } from "../documents.ts";

const user = (content: MessageRequest["content"], number = 1) => messageDoc({ content }, number);
const assistant = (content: MessageRequest["content"], number = 2) =>
  messageDoc({ role: "assistant", content }, number);

/** The messages that the model gets. */
const chat = (run = runDoc(), messages = [user("Hello")], steps: Parameters<typeof modelRequest>[2] = []) =>
  modelRequest(run, messages, steps).messages;

describe("the conversation", () => {
  test("begins with the run's instructions as the system message", () => {
    expect(chat(runDoc({ instructions: "Be brief." }))).toEqual([
      { role: "system", content: "Be brief." },
      { role: "user", content: "Hello" },
    ]);
  });

  test.each([null, "", " \n"])("has no system message with the instructions %j", (instructions) => {
    expect(chat(runDoc({ instructions }))).toEqual([{ role: "user", content: "Hello" }]);
  });

  test("keeps who said what, in the thread's order", () => {
    expect(chat(runDoc(), [user("One", 1), assistant("Two", 2), user("Three", 3)])).toEqual([
      { role: "user", content: "One" },
      { role: "assistant", content: "Two" },
      { role: "user", content: "Three" },
    ]);
  });

  test("joins the text parts of a message by line breaks", () => {
    const parts = [
      { type: "text" as const, text: "One" },
      { type: "text" as const, text: "Two" },
    ];
    expect(chat(runDoc(), [user(parts), assistant(parts)]).map(({ content }) => content)).toEqual([
      "One\nTwo",
      "One\nTwo",
    ]);
  });

  test("shows images by their address, with the detail where it is given", () => {
    const parts: MessageRequest["content"] = [
      { type: "text", text: "What is this?" },
      { type: "image_url", image_url: { url: "http://example.com/a.png" } },
      { type: "image_url", image_url: { url: "http://example.com/b.png", detail: "low" } },
    ];
    expect(chat(runDoc(), [user(parts)])).toEqual([
      {
        role: "user",
        content: [
          { type: "text", text: "What is this?" },
          { type: "image_url", image_url: expect.objectContaining({ url: "http://example.com/a.png" }) },
          { type: "image_url", image_url: { url: "http://example.com/b.png", detail: "low" } },
        ],
      },
    ]);
  });

  test("leaves images out of what the assistant said, which models do not take", () => {
    const parts: MessageRequest["content"] = [
      { type: "text", text: "Here:" },
      { type: "image_url", image_url: { url: "http://example.com/a.png" } },
    ];
    expect(chat(runDoc(), [assistant(parts)])).toEqual([{ role: "assistant", content: "Here:" }]);
  });

  test("leaves out answers that say nothing", () => {
    const nothing = { ...assistant("x"), content: [] };
    expect(
      chat(runDoc(), [
        user("Hello"),
        nothing,
        messageDoc({ role: "assistant", content: [{ type: "text", text: "" }] }, 3),
      ]),
    ).toEqual([{ role: "user", content: "Hello" }]);
  });

  test("names an image by its file, for its bytes to be put there", () => {
    const content: MessageDoc["content"] = [{ type: "image_file", image_file: { file_id: "file-1", detail: "low" } }];
    const image_url = { url: placeOf("file-1"), detail: "low" };
    expect(chat(runDoc(), [{ ...user("Look", 1), content }])).toEqual([
      { role: "user", content: [{ type: "image_url", image_url }] },
    ]);
  });
});

describe("tool calls", () => {
  test("are followed by their outputs, at their place in the thread", () => {
    const step = callsStep([functionCall("call_a", "sunny"), functionCall("call_b", "")], { status: "completed" });
    const called = { name: "get_weather", arguments: '{"city":"Berlin"}' };
    expect(chat(runDoc(), [user("Hello", 1), user("And?", 14)], [step])).toEqual([
      { role: "user", content: "Hello" },
      {
        role: "assistant",
        tool_calls: [
          { id: "call_a", type: "function", function: called },
          { id: "call_b", type: "function", function: called },
        ],
      },
      { role: "tool", tool_call_id: "call_a", content: "sunny" },
      { role: "tool", tool_call_id: "call_b", content: "" },
      { role: "user", content: "And?" },
    ]);
  });

  test("stand behind the text that came with them", () => {
    const step = callsStep([functionCall("call_a", "sunny")], { status: "completed" });
    const roles = chat(runDoc(), [user("Hello", 1), assistant("Let me look.", 12)], [step]).map(({ role }) => role);
    expect(roles).toEqual(["user", "assistant", "assistant", "tool"]);
  });

  test("of one turn after the other keep their order, however they were read", () => {
    const first = callsStep([functionCall("call_a", "1")], { status: "completed" }, 13);
    const second = callsStep([functionCall("call_b", "2")], { status: "completed" }, 16);
    const outputs = (steps: Parameters<typeof modelRequest>[2]) =>
      chat(runDoc(), [user("Hello")], steps).flatMap((message) => (message.role === "tool" ? [message.content] : []));
    expect(outputs([first, second])).toEqual(["1", "2"]);
    expect(outputs([second, first])).toEqual(["1", "2"]);
  });

  test("go back with what their server has put into them", () => {
    const step = callsStep([functionCall("call_a", "sunny"), functionCall("call_b", "2")], { status: "completed" });
    const signature = { google: { thought_signature: "abc" } };
    step.internal.extras = [{ id: "call_a", fields: { extra_content: signature, function: { tag: 1, name: "x" } } }];
    const [, calls] = chat(runDoc(), [user("Hello")], [step]);
    const called = { name: "get_weather", arguments: '{"city":"Berlin"}' };
    expect(calls).toEqual({
      role: "assistant",
      tool_calls: [
        { id: "call_a", type: "function", function: { ...called, tag: 1 }, extra_content: signature },
        { id: "call_b", type: "function", function: called },
      ],
    });
  });

  test("stand behind the text that came after them, before their outputs: the model said both at once", () => {
    const step = callsStep([functionCall("call_a", "sunny")], { status: "completed" }, 13);
    const said = assistant("Please wait.", 15);
    said.internal.prompt_seq = seqOf(`message/${place(12)}`);
    const roles = chat(runDoc(), [user("Hello", 1), said], [step]).map(({ role }) => role);
    expect(roles).toEqual(["user", "assistant", "assistant", "tool"]);
  });

  test("without an output are left out, since the model would refuse them", () => {
    const half = callsStep([functionCall("call_a", null), functionCall("call_b", "2")], { status: "completed" });
    const messages = chat(runDoc(), [user("Hello")], [half]);
    expect(messages).toHaveLength(3);
    expect(JSON.stringify(messages)).not.toContain("call_a");
    const none = callsStep([functionCall("call_a", null)], { status: "completed" });
    expect(chat(runDoc(), [user("Hello")], [none])).toEqual([{ role: "user", content: "Hello" }]);
  });

  test.each(["in_progress", "failed", "cancelled", "expired"] as const)(
    "of a step that is %s are left out",
    (status) => {
      const step = callsStep([functionCall("call_a", "sunny")], { status });
      expect(chat(runDoc(), [user("Hello")], [step])).toEqual([{ role: "user", content: "Hello" }]);
    },
  );

  test("are the only steps that the model sees", () => {
    expect(chat(runDoc(), [user("Hello")], [messageStep({ status: "completed" })])).toHaveLength(1);
  });
});

const WEATHER: Tool = {
  type: "function",
  function: {
    name: "get_weather",
    description: "The weather of a city",
    parameters: { type: "object", properties: { city: { type: "string" } } },
    strict: true,
  },
};
const CLOCK: Tool = {
  type: "function",
  function: { name: "get_time", parameters: { type: "object", properties: {} }, strict: false },
};

const requestOf = (...args: Parameters<typeof runDoc>) => modelRequest(runDoc(...args), [user("Hello")], []);

describe("tools", () => {
  test("are offered as functions; strict only where it is asked for", () => {
    expect(requestOf({ tools: [WEATHER, CLOCK] }).tools).toEqual([
      WEATHER,
      { type: "function", function: { name: "get_time", parameters: { type: "object", properties: {} } } },
    ]);
  });

  test("that the service would run itself are not offered", () => {
    const request = requestOf({ tools: [{ type: "code_interpreter" }], tool_choice: "required" });
    expect(request).not.toHaveProperty("tools");
    expect(request).not.toHaveProperty("tool_choice");
    expect(request).not.toHaveProperty("parallel_tool_calls");
  });

  test("may be called in parallel as the model likes, unless the client has chosen", () => {
    expect(requestOf({ tools: [CLOCK] })).not.toHaveProperty("parallel_tool_calls");
    expect(requestOf({ tools: [CLOCK] }, { chosen: ["parallel_tool_calls"] }).parallel_tool_calls).toBe(true);
    expect(requestOf({ tools: [CLOCK], parallel_tool_calls: false }).parallel_tool_calls).toBe(false);
  });

  const named = { type: "function" as const, function: { name: "get_time" } };

  test.each([
    ["auto" as const, undefined, undefined],
    ["none" as const, "none", "none"],
    ["required" as const, "required", undefined],
    [named, named, undefined],
    [{ type: "file_search" as const }, undefined, undefined],
  ])("choice %j is %j in the first model call and %j after it", (choice, first, later) => {
    const run = { tools: [CLOCK], tool_choice: choice };
    expect(requestOf(run).tool_choice).toEqual(first);
    expect(requestOf(run, { turns: 1 }).tool_choice).toEqual(later);
  });
});

describe("the request", () => {
  test("names the model and how to sample, and nothing that the run leaves open", () => {
    expect(requestOf({ model: "gpt-4o-mini", temperature: 0.2, top_p: 0.9 })).toEqual({
      model: "gpt-4o-mini",
      messages: [{ role: "user", content: "Hello" }],
      temperature: 0.2,
      top_p: 0.9,
    });
  });

  test("names a default of ours where the client has chosen it", () => {
    expect(requestOf({}, { chosen: ["temperature"] })).toMatchObject({ temperature: 1 });
    expect(requestOf({}, { chosen: ["temperature"] })).not.toHaveProperty("top_p");
    expect(requestOf({}, { chosen: ["top_p"] })).toMatchObject({ top_p: 1 });
    expect(requestOf({})).not.toHaveProperty("temperature");
  });

  test("passes on the effort of reasoning", () => {
    expect(requestOf({ reasoning_effort: "low" }).reasoning_effort).toBe("low");
  });

  test.each([
    { type: "json_object" as const },
    { type: "text" as const },
    { type: "json_schema" as const, json_schema: { name: "city", schema: { type: "object" }, strict: true } },
  ])("passes on the response format %j", (format) => {
    expect(requestOf({ response_format: format }).response_format).toEqual(format);
  });

  test("bounds the answer by what earlier calls left of the run's budget", () => {
    const used = { usage: { prompt_tokens: 500, completion_tokens: 300, total_tokens: 800 } };
    expect(requestOf({ max_completion_tokens: 1000 }).max_completion_tokens).toBe(1000);
    expect(requestOf({ max_completion_tokens: 1000 }, used).max_completion_tokens).toBe(700);
    expect(requestOf({ max_completion_tokens: 300 }, used).max_completion_tokens).toBe(1);
  });
});

describe("a choice of a function", () => {
  const named = (name: string) => ({ type: "function" as const, function: { name } });

  test("that the run does not have is told in words, before the model is asked", () => {
    const run = runDoc({ tools: [CLOCK], tool_choice: named("get_wether") });
    expect(impossibleChoice(run)).toEqual({
      code: "invalid_prompt",
      message: "Invalid value for 'tool_choice': the run has no function 'get_wether' among its tools.",
    });
    expect(impossibleChoice({ ...run, tools: [{ type: "code_interpreter" }] })).toBeDefined();
    const code = { type: "code_interpreter" as const };
    expect(impossibleChoice(runDoc({ tool_choice: code }))?.code).toBe("invalid_prompt");
    expect(impossibleChoice(runDoc({ tool_choice: { type: "file_search" } }))?.message).toBe(
      "Invalid value for 'tool_choice': the run has no file_search among its tools.",
    );
  });

  test("of code where no pool runs any ends the run, as does one of any tool where there is no other", () => {
    const code = { type: "code_interpreter" as const };
    const off = { code: "server_error", message: "The code interpreter is not set up on this deployment." };
    expect(impossibleChoice(runDoc({ tools: [code, CLOCK], tool_choice: code }))).toEqual(off);
    expect(impossibleChoice(runDoc({ tools: [code], tool_choice: "required" }))).toEqual(off);
    expect(impossibleChoice(runDoc({ tools: [code, CLOCK], tool_choice: "required" }))).toBeUndefined();
    expect(impossibleChoice(runDoc({ tools: [code] }))).toBeUndefined();
  });

  test("that the run has, or that names none, is passed on", () => {
    expect(impossibleChoice(runDoc({ tools: [CLOCK], tool_choice: named("get_time") }))).toBeUndefined();
    for (const choice of ["auto", "none", "required"] as const) {
      expect(impossibleChoice(runDoc({ tool_choice: choice }))).toBeUndefined();
    }
  });

  test("is not looked at after the first model call, which alone it binds", () => {
    expect(impossibleChoice(runDoc({ tool_choice: named("gone") }, { turns: 1 }))).toBeUndefined();
  });
});

describe("the window of a thread", () => {
  const sized = (...tokens: number[]) => tokens.map((count) => ({ internal: { tokens: count } }));

  test.each([
    ["nothing of nothing", sized(), 100, 0],
    ["all that fits", sized(10, 20, 30), 60, 3],
    ["no message in part", sized(10, 20, 30), 59, 2],
    ["the newest message even if it alone is too long", sized(500, 1), 100, 1],
    ["the newest message even without any room", sized(10), -50, 1],
    ["no older message behind one that does not fit", sized(10, 500, 1), 100, 1],
    ["messages that cost nothing", sized(100, 0, 0), 100, 3],
  ])("holds %s", (_, messages, budget, size) => {
    expect(windowSize(messages, { tokens: budget, characters: 0 })).toBe(size);
  });

  test("holds no more characters than it may, of texts and of images as data", () => {
    const url = `data:image/png;base64,${"A".repeat(978)}`;
    const image = { internal: { tokens: 1 }, content: [{ type: "image_url" as const, image_url: { url } }] };
    const text = {
      internal: { tokens: 1 },
      content: [{ type: "text" as const, text: { value: "x", annotations: [] } }],
    };
    const size = (characters: number) => windowSize([text, image, text, image], { tokens: 100, characters });
    expect([0, 1_000, 1_001, 1_002, 2_001, 2_002].map(size)).toEqual([1, 1, 2, 3, 3, 4]);
  });

  test("is the largest that fits, and never empty", () => {
    fc.assert(
      fc.property(
        fc.array(fc.nat(1_000), { minLength: 1, maxLength: 40 }),
        fc.integer({ min: -100, max: 20_000 }),
        (tokens, budget) => {
          const size = windowSize(sized(...tokens), { tokens: budget, characters: 0 });
          const cost = (count: number) => tokens.slice(0, count).reduce((sum, each) => sum + each, 0);
          expect(size).toBeGreaterThanOrEqual(1);
          if (size > 1) expect(cost(size)).toBeLessThanOrEqual(budget);
          if (size < tokens.length) expect(cost(size + 1)).toBeGreaterThan(budget);
        },
      ),
    );
  });
});
