/** Runs that run code: from the model's Python to what clients see of it, through the whole app and the real client. */
import { createHash, randomUUID } from "node:crypto";
import { describe, expect, test } from "vitest";
import type { Turn } from "../../local/model/turn.ts";
import { callsIn, codeScene, DRAW, logsIn, PIXEL_BYTES, python, SLOW, textIn, upload } from "./code-scene.ts";
import { newTenant, until } from "./harness.ts";
import { RunReader, WHOLE, wholeLog } from "./life/run-reader.ts";

describe("a run with code_interpreter", SLOW, () => {
  test("runs what the model writes, shows code and output, and keeps variables between calls, turns and runs", async (context) => {
    const tenant = newTenant();
    const word = randomUUID();
    const turns: Turn[] = [
      python(`import hashlib\nword = "${word}"\nprint("hello")\nlen(word)`),
      python("hashlib.sha256(word.encode()).hexdigest()"),
      { text: "Done." },
      {
        toolCalls: [
          { name: "python", arguments: { code: "word += '!'" } },
          { name: "python", arguments: { code: "word[-2:]" } },
        ],
      },
      { text: "Done again." },
    ];
    const scene = await codeScene(tenant, turns, context);
    const run = await scene.poll();
    expect(run).toMatchObject({ status: "completed", last_error: null });
    const [first, second, last] = await scene.stepsOf(run.id);
    expect(first).toMatchObject({ type: "tool_calls", status: "completed", last_error: null });
    expect(callsIn(first)).toEqual([
      {
        id: expect.any(String),
        type: "code_interpreter",
        code_interpreter: {
          input: `import hashlib\nword = "${word}"\nprint("hello")\nlen(word)`,
          outputs: [{ type: "logs", logs: "hello\n36" }],
        },
      },
    ]);
    const hash = createHash("sha256").update(word).digest("hex");
    expect(logsIn(second)).toEqual([`'${hash}'`]);
    const usages = [first, second, last].map((step) => step?.usage?.total_tokens ?? 0);
    expect(run.usage?.total_tokens).toBe(usages.reduce((sum, each) => sum + each, 0));
    const requests = await scene.answering.requests();
    expect(requests[0]?.body).toMatchObject({ tools: [{ type: "function", function: { name: "python" } }] });
    expect(requests[2]?.body.messages.at(-1)).toMatchObject({ role: "tool", content: `'${hash}'` });

    await tenant.openai.beta.threads.messages.create(scene.thread.id, { role: "user", content: "And now?" });
    const again = await scene.poll();
    const [both] = await scene.stepsOf(again.id);
    expect(callsIn(both).map((call) => call.code_interpreter.outputs)).toEqual([
      [],
      [{ type: "logs", logs: "'6!'".replace("6", word.slice(-1)) }],
    ]);
    const [, , , later] = await scene.answering.requests();
    expect(later?.body.messages.map(({ role }) => role)).toEqual([
      ...["user", "assistant", "tool", "assistant", "tool", "assistant", "user"],
    ]);
  });

  test("streamed, tells all of it in the recorded order, and again from the log", async (context) => {
    const tenant = newTenant();
    const { openai } = tenant;
    const code = 'print("é 😀 \\"quoted\\"\\tand more")\n1 + 1';
    // One character at a time.
    const turn: Turn = { toolCalls: [{ name: "python", pieces: [...JSON.stringify({ code })] }] };
    const scene = await codeScene(tenant, [turn, { text: "It is 2.", tokenMs: 5 }], context);
    const stream = openai.beta.threads.runs.stream(scene.thread.id, scene.run);
    const events: { event: string; data: unknown }[] = [];
    const inputs: string[] = [];
    const done: unknown[] = [];
    stream.on("event", (event) => events.push(structuredClone(event)));
    stream.on("toolCallDelta", (delta) => {
      if (delta.type === "code_interpreter") inputs.push(delta.code_interpreter?.input ?? "");
    });
    stream.on("toolCallDone", (call) => done.push(structuredClone(call)));
    const run = await stream.finalRun();
    const names = events.map(({ event }) => event).filter((name, index, all) => name !== all[index - 1]);
    expect(names).toEqual([
      ...["thread.run.created", "thread.run.queued", "thread.run.in_progress"],
      ...[
        "thread.run.step.created",
        "thread.run.step.in_progress",
        "thread.run.step.delta",
        "thread.run.step.completed",
      ],
      ...["thread.run.step.created", "thread.run.step.in_progress"],
      ...["thread.message.created", "thread.message.in_progress", "thread.message.delta", "thread.message.completed"],
      ...["thread.run.step.completed", "thread.run.completed"],
    ]);
    expect(inputs.join("")).toBe(code);
    expect(inputs.length).toBeGreaterThan(20);
    const logs = 'é 😀 "quoted"\tand more\n2';
    expect(done).toMatchObject([{ code_interpreter: { input: code, outputs: [{ index: 0, type: "logs", logs }] } }]);
    const [step] = await scene.stepsOf(run.id);
    expect(callsIn(step)).toMatchObject([{ code_interpreter: { input: code, outputs: [{ type: "logs", logs }] } }]);

    const replay = await tenant.fetch(`${openai.baseURL}/threads/${scene.thread.id}/runs/${run.id}/stream`, {
      headers: { authorization: `Bearer ${tenant.key}` },
    });
    const replayed = (await replay.text()).split("\n").filter((line) => line.startsWith("data: {"));
    expect(replayed.map((line) => JSON.parse(line.slice("data: ".length)))).toEqual(events.map(({ data }) => data));
  });

  test("in the background, is followed while it runs, in one go or over connections that break", async (context) => {
    const tenant = newTenant();
    const code = `open("f.csv", "w").write("1")\n${DRAW}`;
    const turns: Turn[] = [
      { ...python(code), tokenMs: 20 },
      { text: "[f](sandbox:/mnt/data/f.csv) and more", tokenMs: 20 },
    ];
    const scene = await codeScene(tenant, turns, context);
    const { id } = await tenant.openai.beta.threads.runs.create(scene.thread.id, scene.run);
    const path = `/threads/${scene.thread.id}/runs/${id}/stream`;
    const [watcher, broken] = [WHOLE, 7].map((size) => RunReader.followLog(tenant, path, size));
    await Promise.all([watcher?.done, broken?.done]);
    const names = watcher?.events.map(({ event }) => event).filter((name, index, all) => name !== all[index - 1]);
    expect(names?.at(-1)).toBe("thread.run.completed");
    expect(names?.filter((name) => name === "thread.run.step.delta")).toHaveLength(1);
    expect(broken?.events).toEqual(watcher?.events);
    expect(await wholeLog(tenant, path, 5)).toEqual(watcher?.events);
    const told = JSON.stringify(watcher?.events);
    for (const part of ['"type":"image","image"', '"type":"image_file"', '"type":"file_path"'])
      expect(told).toContain(part);
  });

  test("reads files of the assistant, of the thread and of messages, by their ids and their names", async (context) => {
    const tenant = newTenant();
    const { openai } = tenant;
    const [ofAssistant, ofThread, attached] = [
      await upload(openai, "assistant.csv", "a,1\n"),
      await upload(openai, "thread.csv", "b,2\n"),
      await upload(openai, "attached.csv", "c,3\n"),
    ];
    const ids = [ofAssistant, ofThread, attached].map(({ id }) => id);
    const code = `
for name in ${JSON.stringify([...ids, "assistant.csv", "thread.csv", "attached.csv"])}:
    print(open("/mnt/data/" + name).read().strip())`;
    const scene = await codeScene(tenant, [python(code), { text: "Read." }], context, { fileIds: [ofAssistant.id] });
    await openai.beta.threads.update(scene.thread.id, {
      tool_resources: { code_interpreter: { file_ids: [ofThread.id] } },
    });
    const tools = [{ type: "code_interpreter" as const }];
    await openai.beta.threads.messages.create(scene.thread.id, {
      role: "user",
      content: "These.",
      attachments: [{ file_id: attached.id, tools }],
    });
    const { tool_resources: resources } = await openai.beta.threads.retrieve(scene.thread.id);
    expect(resources).toMatchObject({ code_interpreter: { file_ids: [ofThread.id, attached.id] } });
    const run = await scene.poll();
    const [step] = await scene.stepsOf(run.id);
    expect(logsIn(step)).toEqual(["a,1\nb,2\nc,3\na,1\nb,2\nc,3\n"]);
    const [first] = await scene.answering.requests();
    for (const text of [...ids, "attached.csv"]) expect(JSON.stringify(first?.body)).toContain(text);
  });

  test("shows what it draws, and gives what it writes: image, link, attachment and the bytes", async (context) => {
    const tenant = newTenant();
    const { openai } = tenant;
    const code = `open("o.csv", "w").write("x,y\\n1,2\\n")\nopen("unused.txt", "w").write("no")\n${DRAW}`;
    const answer = { text: "😀 Here is [your file](sandbox:/mnt/data/o.csv)." };
    const scene = await codeScene(
      tenant,
      [python(code), answer, python("open('o.csv').read()"), { text: "Read." }],
      context,
    );
    const stream = openai.beta.threads.runs.stream(scene.thread.id, scene.run);
    const images: string[] = [];
    stream.on("imageFileDone", ({ file_id: id }) => images.push(id));
    const run = await stream.finalRun();
    expect(run.status).toBe("completed");
    const [step] = await scene.stepsOf(run.id);
    const outputs = callsIn(step)[0]?.code_interpreter.outputs;
    const [image] = images;
    expect(outputs?.at(-1)).toEqual({ type: "image", image: { file_id: image } });

    const [, message] = await scene.messages();
    expect(message?.content[0]).toEqual({ type: "image_file", image_file: { file_id: image } });
    const { value, annotations } = textIn(message?.content ?? []);
    expect(annotations).toEqual([
      {
        type: "file_path",
        text: "sandbox:/mnt/data/o.csv",
        start_index: 22,
        end_index: 45,
        file_path: { file_id: expect.stringMatching(/^file-[0-9A-Za-z]{24}$/) },
      },
    ]);
    expect(Array.from(value).slice(22, 45).join("")).toBe("sandbox:/mnt/data/o.csv");
    const [annotation] = annotations;
    const fileId = annotation?.type === "file_path" ? annotation.file_path.file_id : "";
    expect(message?.attachments).toEqual([{ file_id: fileId, tools: [{ type: "code_interpreter" }] }]);
    expect(await (await openai.files.content(fileId)).text()).toBe("x,y\n1,2\n");
    expect(Buffer.from(await (await openai.files.content(image ?? "")).arrayBuffer())).toEqual(PIXEL_BYTES);
    const made = (await openai.files.list({ purpose: "assistants_output" })).data;
    expect(made.map(({ id, filename, purpose, bytes }) => ({ id, filename, purpose, bytes }))).toEqual(
      expect.arrayContaining([
        { id: fileId, filename: "o.csv", purpose: "assistants_output", bytes: 8 },
        {
          id: image,
          filename: expect.stringMatching(/\.png$/),
          purpose: "assistants_output",
          bytes: PIXEL_BYTES.length,
        },
      ]),
    );
    expect(made).toHaveLength(2);

    // The client shows them to the assistant again, and deletes one.
    await openai.beta.threads.messages.create(scene.thread.id, {
      role: "user",
      content: [{ type: "image_file", image_file: { file_id: image ?? "" } }],
      attachments: [{ file_id: fileId, tools: [{ type: "code_interpreter" }] }],
    });
    const again = await scene.poll();
    expect(again.status).toBe("completed");
    await openai.files.delete(fileId);
    await expect(openai.files.content(fileId)).rejects.toThrow("No such File object");
  });

  test("goes on after an exception, which the model reads with its own lines", async (context) => {
    const scene = await codeScene(newTenant(), [python("x = 1\nx / 0"), python("x / 1"), { text: "1.0" }], context);
    const run = await scene.poll();
    const [failed, good] = await scene.stepsOf(run.id);
    expect(failed).toMatchObject({ status: "completed", last_error: null });
    expect(logsIn(failed)[0]).toMatch(/^Traceback[\s\S]*line 2[\s\S]*ZeroDivisionError: division by zero\n?$/);
    expect(logsIn(good)).toEqual(["1.0"]);
    const [, second] = await scene.answering.requests();
    expect(second?.body.messages.at(-1)?.content).toContain("ZeroDivisionError");
  });

  test("cuts what is printed without end, in the step and for the model", async (context) => {
    const scene = await codeScene(newTenant(), [python("print('y' * 20_000_000)"), { text: "Long." }], context);
    const run = await scene.poll();
    const [step] = await scene.stepsOf(run.id);
    const [logs = ""] = logsIn(step);
    expect(logs.length).toBeGreaterThan(90_000);
    expect(logs.length).toBeLessThan(101_000);
    expect(logs).toContain("characters left out");
    const [, second] = await scene.answering.requests();
    expect(String(second?.body.messages.at(-1)?.content).length).toBeLessThan(17_000);
  });
});

describe("forced, and beside other tools", SLOW, () => {
  test("code is called first if the client says so; then the model may do as it likes", async (context) => {
    const scene = await codeScene(newTenant(), [python("1"), { text: "1" }], context);
    const run = await scene.poll({ tool_choice: { type: "code_interpreter" } });
    expect(run).toMatchObject({ status: "completed", tool_choice: { type: "code_interpreter" } });
    const [first, second] = await scene.answering.requests();
    expect(first?.body).toMatchObject({ tool_choice: { type: "function", function: { name: "python" } } });
    expect(second?.body).not.toHaveProperty("tool_choice");
  });

  test("code runs before its run waits for a function, and both end in one step", async (context) => {
    const tenant = newTenant();
    const lookup = { type: "function" as const, function: { name: "lookup" } };
    const both: Turn = {
      toolCalls: [
        { id: "call_f", name: "lookup", arguments: {} },
        { id: "call_c", name: "python", arguments: { code: "6 * 7" } },
      ],
    };
    const scene = await codeScene(tenant, [both, { text: "Both." }], context, {
      tools: [lookup, { type: "code_interpreter" }],
    });
    const paused = await scene.poll();
    expect(paused).toMatchObject({
      status: "requires_action",
      required_action: { submit_tool_outputs: { tool_calls: [{ id: "call_f" }] } },
    });
    expect(paused.required_action?.submit_tool_outputs.tool_calls).toHaveLength(1);
    const run = await tenant.openai.beta.threads.runs.submitToolOutputsAndPoll(
      paused.id,
      { thread_id: scene.thread.id, tool_outputs: [{ tool_call_id: "call_f", output: "found" }] },
      { pollIntervalMs: 30 },
    );
    const [step] = await scene.stepsOf(run.id);
    expect(step).toMatchObject({
      status: "completed",
      step_details: {
        tool_calls: [
          { id: "call_f", function: { output: "found" } },
          { id: "call_c", code_interpreter: { outputs: [{ type: "logs", logs: "42" }] } },
        ],
      },
    });
  });
});

describe("code without end", SLOW, () => {
  const FOREVER = "while True:\n    try:\n        pass\n    except BaseException:\n        pass";

  test("ends with its cancelled run; the next run has a session that works", async (context) => {
    const tenant = newTenant();
    const { openai } = tenant;
    const scene = await codeScene(tenant, [python(FOREVER), python("40 + 2"), { text: "42" }], context);
    const run = await openai.beta.threads.runs.create(scene.thread.id, scene.run);
    const where = { thread_id: scene.thread.id };
    await until(async () => {
      const [step] = await scene.stepsOf(run.id);
      return step !== undefined && callsIn(step)[0]?.code_interpreter.input === FOREVER;
    }, 60_000);
    await openai.beta.threads.runs.cancel(run.id, where);
    await until(async () => (await openai.beta.threads.runs.retrieve(run.id, where)).status === "cancelled", 60_000);
    const [step] = await scene.stepsOf(run.id);
    expect(step).toMatchObject({ status: "cancelled" });
    expect(callsIn(step)).toMatchObject([{ code_interpreter: { input: FOREVER, outputs: [] } }]);
    await openai.beta.threads.messages.create(scene.thread.id, { role: "user", content: "Again." });
    const next = await scene.poll();
    expect(logsIn((await scene.stepsOf(next.id))[0])).toEqual(["42"]);
  });
});
