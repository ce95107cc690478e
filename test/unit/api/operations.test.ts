import { expect, test } from "vitest";
import { PATH_IDS } from "../../../src/api/operation.ts";
import { operations } from "../../../src/api/operations/index.ts";

const routes = operations.map(({ method, path }) => `${method} ${path}`);

test("no two operations share a name or a route", () => {
  const names = operations.map(({ name }) => name);
  expect(new Set(names).size).toBe(names.length);
  expect(new Set(routes).size).toBe(routes.length);
});

test("every parameter of every path is an id whose prefix is checked", () => {
  const parameters = operations.flatMap(({ path }) => [...path.matchAll(/\{(\w+)\}/g)].map(([, name = ""]) => name));
  expect(parameters.length).toBeGreaterThan(0);
  for (const name of parameters) if (name !== "file_id") expect(PATH_IDS, name).toHaveProperty(name);
});

test("an operation that has a body is a POST, and all but deleting say what they do", () => {
  for (const { name, method, body, summary } of operations) {
    if (body !== undefined) expect(method, name).toBe("POST");
    expect(summary, name).not.toBe("");
  }
});

test("the routes of assistants, threads, messages, runs and steps are those of the original", () => {
  for (const route of [
    "POST assistants",
    "GET assistants",
    "GET assistants/{assistant_id}",
    "POST assistants/{assistant_id}",
    "DELETE assistants/{assistant_id}",
    "POST threads",
    "GET threads/{thread_id}",
    "POST threads/{thread_id}",
    "DELETE threads/{thread_id}",
    "POST threads/{thread_id}/messages",
    "GET threads/{thread_id}/messages",
    "GET threads/{thread_id}/messages/{message_id}",
    "POST threads/{thread_id}/messages/{message_id}",
    "DELETE threads/{thread_id}/messages/{message_id}",
    "POST threads/{thread_id}/runs",
    "GET threads/{thread_id}/runs",
    "GET threads/{thread_id}/runs/{run_id}",
    "POST threads/{thread_id}/runs/{run_id}",
    "POST threads/{thread_id}/runs/{run_id}/submit_tool_outputs",
    "POST threads/{thread_id}/runs/{run_id}/cancel",
    "POST threads/runs",
    "GET threads/{thread_id}/runs/{run_id}/steps",
    "GET threads/{thread_id}/runs/{run_id}/steps/{step_id}",
  ]) {
    expect(routes).toContain(route);
  }
});
