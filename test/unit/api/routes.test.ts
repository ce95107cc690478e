import { expect, test } from "vitest";
import { type HttpRoute, inHostOrder, nameAfter, unshadowed } from "../../../src/api/routes.ts";

const route = (name: string, template: string, method: "GET" | "POST" = "GET"): HttpRoute => ({
  name,
  methods: [method],
  route: template,
});

test("the host's order is that of the functions' names without regard to case; a dash comes before letters", () => {
  const names = ["watch-v1", "Zebra", "getRun", "get-run", "alpha", "GETALL"].map((name) => ({ name }));
  expect(inHostOrder(names).map(({ name }) => name)).toEqual([
    "alpha",
    "get-run",
    "GETALL",
    "getRun",
    "watch-v1",
    "Zebra",
  ]);
});

test("a name can be had that comes after all others", () => {
  expect(nameAfter(["getRun", "listRuns"], "NotFound")).toBe("NotFound");
  expect(nameAfter(["getRun", "watchRun"], "NotFound")).toBe("zNotFound");
  expect(nameAfter(["getRun", "ZZtop"], "NotFound")).toBe("zzzNotFound");
});

test.each<[string, HttpRoute[]]>([
  ["a catch-all with an early name", [route("notFound", "{*path}"), route("watchRun", "v1/runs/{id}")]],
  ["a parameter before a literal", [route("getAny", "v1/threads/{id}"), route("getRuns", "v1/threads/runs")]],
  ["two routes that are the same but for case", [route("a", "v1/threads/{id}"), route("b", "V1/Threads/{other}")]],
  ["two that have some paths in common", [route("a", "v1/{x}/runs"), route("b", "v1/threads/{y}")]],
])("%s is refused: the later function would never be called, or not always", (_, routes) => {
  expect(() => unshadowed(routes)).toThrow(/hidden by/);
  expect(() => unshadowed(routes.toReversed())).toThrow(/hidden by/);
});

test.each(["v1/files/{id?}", "v1/files/{id:int}", "v1/files/{id=all}", "v1/files/a{id}", "v1/{*rest}/end"])(
  "the route %s is refused: whether it hides another one could not be told",
  (template) => {
    expect(() => unshadowed([route("a", template)])).toThrow(/cannot be judged/);
  },
);

test("routes of which the special ones come first pass, and so do those that no path or method has in common", () => {
  const routes = [
    route("createRun", "v1/threads/runs", "POST"),
    route("modifyThread", "v1/threads/{id}", "POST"),
    route("aThread", "v1/threads/{id}"),
    route("aRun", "v1/threads/{id}/runs/{run}"),
    route("zzz", "{*path}"),
  ];
  expect(unshadowed(routes)).toBe(routes);
});
