/** What comes of code: images, files, exceptions, sessions that end. */
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import type { Turn } from "../../../local/model/turn.ts";
import { CodeTrouble } from "../../../src/code/session.ts";
import { CodeWorld, codeCalls, logOf, messagesOf, python, stepsOf, threadOf } from "./code-world.ts";
import { PNG, ran } from "./sandbox.ts";

let world: CodeWorld;
beforeAll(async () => {
  world = await CodeWorld.start();
});
afterAll(() => world.stop());

describe("what code draws and writes", () => {
  test("figures begin the next message, files that it links are attached to it; both are files then", async () => {
    const link = "sandbox:/mnt/data/o%20o.csv";
    const scene = await world.ask([python("draw"), { text: ["See ", "[it](sand", "box:/mnt/data/o%20o", ".csv)."] }]);
    const { contents, blobs } = world.sandbox;
    contents.set("_threadkeep/1.png", PNG).set("o o.csv", Buffer.from("1,2")).set("x.csv", Buffer.from("x"));
    world.sandbox.cell = () =>
      ran("2", {
        images: ["_threadkeep/1.png"],
        files: [
          { path: "o o.csv", size: 3 },
          { path: "x.csv", size: 1 },
        ],
      });
    const { events, run, names } = await world.stream(scene);
    const [image, file] = world.sandbox.made;
    expect([image?.filename, file?.filename]).toEqual(["call_c-0.png", "o o.csv"]);
    expect(world.sandbox.made).toHaveLength(2);
    // The other file's bytes are kept for a while: it is no file until a message links it.
    expect([...blobs.values()]).toContainEqual(Buffer.from("x"));
    const [step] = await stepsOf(scene, run.id);
    expect(codeCalls(step)[0]?.code_interpreter.outputs).toEqual([
      { type: "logs", logs: "2" },
      { type: "image", image: { file_id: image?.id } },
    ]);
    const [, message] = await messagesOf(scene);
    const annotation = {
      type: "file_path",
      text: link,
      start_index: 9,
      end_index: 9 + link.length,
      file_path: { file_id: file?.id },
    };
    expect(message?.content).toEqual([
      { type: "image_file", image_file: { file_id: image?.id } },
      { type: "text", text: { value: `See [it](${link}).`, annotations: [annotation] } },
    ]);
    expect(message?.attachments).toEqual([{ file_id: file?.id, tools: [{ type: "code_interpreter" }] }]);
    const deltas = events.filter(({ event }) => event === "thread.message.delta").map(({ data }) => data);
    expect(deltas).toMatchObject([
      { delta: { content: [{ index: 0, type: "image_file", image_file: { file_id: image?.id } }] } },
      { delta: { content: [{ index: 1, text: { value: "See ", annotations: [] } }] } },
      { delta: { content: [{ index: 1, text: { value: "[it](" } }] } },
      { delta: { content: [{ index: 1, text: { value: link, annotations: [{ index: 0, ...annotation }] } }] } },
      { delta: { content: [{ index: 1, text: { value: ")." } }] } },
    ]);
    expect(names.indexOf("thread.message.in_progress")).toBe(names.indexOf("thread.message.delta") - 1);
    expect(await logOf(scene, run)).toEqual(events);
    expect(run.internal).not.toHaveProperty("images");
    const [, second] = scene.asked.requests();
    expect(JSON.stringify(second)).not.toContain("base64");
    expect(JSON.stringify(second)).toContain("[1 image was shown to the user]");
  });

  test("figures of several rounds go to the next message, also one that is said with other code", async () => {
    const talking: Turn = { text: "Now:", ...python("none") };
    const scene = await world.ask([python("draw"), python("draw"), talking, { text: "End." }]);
    world.sandbox.contents.set("1.png", PNG);
    world.sandbox.cell = ({ code }) => ran("", { images: code === "draw" ? ["1.png"] : [] });
    await world.work(scene);
    const [, first, last] = await messagesOf(scene);
    const ids = world.sandbox.made.map(({ id }) => id);
    expect(new Set(ids).size).toBe(2);
    expect(first?.content).toEqual([
      ...ids.map((id) => ({ type: "image_file", image_file: { file_id: id } })),
      { type: "text", text: { value: "Now:", annotations: [] } },
    ]);
    expect(last?.content).toMatchObject([{ type: "text", text: { value: "End." } }]);
  });

  test("a message without a word holds its figures alone", async () => {
    const scene = await world.ask([python("draw"), { text: "" }]);
    world.sandbox.contents.set("1.png", PNG);
    world.sandbox.cell = () => ran("", { images: ["1.png"] });
    await world.work(scene);
    const [, message] = await messagesOf(scene);
    expect(message?.content).toMatchObject([{ type: "image_file" }]);
    expect(message?.status).toBe("completed");
  });

  test("what is no image, too much or too large is left out, and the model is told what it cannot link", async () => {
    const scene = await world.ask([python("many"), { text: "sandbox:/mnt/data/f21 sandbox:/mnt/data/f1" }]);
    const files = Array.from({ length: 22 }, (_, index) => ({ path: `f${index}`, size: 1 }));
    for (const { path } of files) world.sandbox.contents.set(path, Buffer.from("x"));
    world.sandbox.contents.set("1.png", Buffer.from("<html>"));
    world.sandbox.cell = () => ran("", { images: ["1.png"], files: [...files, { path: "empty", size: 0 }] });
    await world.work(scene);
    const [, message] = await messagesOf(scene);
    expect(message?.content).toMatchObject([{ text: { annotations: [{ text: "sandbox:/mnt/data/f1" }] } }]);
    const [, second] = scene.asked.requests();
    expect(JSON.stringify(second)).toContain("too many or too large to be linked: /mnt/data/f20");
    expect(world.sandbox.made).toHaveLength(1);
  });

  test("a later run links what an earlier one wrote", async () => {
    const scene = await world.ask([python("w"), { text: "Done." }, { text: "sandbox:/mnt/data/o.csv" }]);
    world.sandbox.contents.set("o.csv", Buffer.from("1"));
    world.sandbox.cell = () => ran("", { files: [{ path: "o.csv", size: 1 }] });
    await world.work(scene);
    expect(world.sandbox.made).toEqual([]);
    await world.work(scene);
    const [, , message] = await messagesOf(scene);
    expect(message?.content).toMatchObject([
      { text: { annotations: [{ file_path: { file_id: world.sandbox.made[0]?.id } }] } },
    ]);
  });
});

describe("code that does not end well", () => {
  test("an exception is a result; a timeout or a crash as well, in a session that is replaced", async () => {
    const scene = await world.ask([
      python("1/0"),
      python("while True: pass"),
      python("os.abort()"),
      python("a"),
      { text: "No." },
    ]);
    const results = [
      ran("ZeroDivisionError", { failed: true }),
      { kind: "timeout" as const },
      { kind: "died" as const, reason: "memory" as const },
      ran("fine", { fresh: true }),
    ];
    world.sandbox.cell = () => results.shift() ?? ran("");
    const { run } = await world.work(scene);
    expect(run.status).toBe("completed");
    const steps = await stepsOf(scene, run.id);
    expect(steps.slice(0, 4).map(({ status }) => status)).toEqual(Array.from({ length: 4 }, () => "completed"));
    const logs = steps.slice(0, 4).flatMap((step) => codeCalls(step).flatMap((call) => call.code_interpreter.outputs));
    expect(logs).toMatchObject([
      { logs: "ZeroDivisionError" },
      { logs: expect.stringContaining("Timed out after 60 s.") },
      { logs: expect.stringContaining("memory") },
      { logs: "fine" },
    ]);
    const sessions = world.sandbox.ran.map(({ session }) => session);
    expect(new Set(sessions).size).toBe(3);
    expect(sessions[0]).toBe(sessions[1]);
    expect(JSON.stringify(scene.asked.requests().at(-1))).toContain("session restarted: earlier variables are gone");
    expect((await threadOf(scene)).internal.code_session?.id).toBe(sessions[3]);
  });

  test("has no more time than its run", async () => {
    const scene = await world.ask([python("a"), { text: "Well." }]);
    await world.stream(scene, {}, { now: Date.now() - 580_000 });
    expect(world.sandbox.ran[0]?.timeout).toBeGreaterThan(10);
    expect(world.sandbox.ran[0]?.timeout).toBeLessThan(20);
  });
});

test("a call that is answered from the ledger does not tell the model of a restart that was none", async () => {
  const calls = ["x = 1", "print(x)"].map((code, n) => ({ id: `call_${n}`, name: "python", arguments: { code } }));
  const scene = await world.ask([{ toolCalls: calls }, { text: "Done." }]);
  // The first code of a new session. The pool is in trouble before the second call, and then well again.
  world.sandbox.cell = ({ code }) => ran(code, { fresh: code === "x = 1" });
  world.sandbox.troubles = [undefined, new CodeTrouble("the pool did not answer", { retryable: true })];
  const { run } = await world.stream(scene);
  expect(run.status).toBe("completed");
  expect(world.sandbox.ran.map(({ code }) => code)).toEqual(["x = 1", "print(x)"]);
  expect(JSON.stringify(scene.asked.requests().at(-1))).not.toContain("session restarted");
});
