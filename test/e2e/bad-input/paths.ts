/** Wrong paths, wrong ids, wrong queries and wrong methods. */

import { type Operation, PATH_IDS } from "../../../src/api/operation.ts";
import { operations } from "../../../src/api/operations/index.ts";
import { ID_PREFIXES } from "../../../src/resources/ids.ts";
import { asShown, type Complaint, notAnId } from "./defects.ts";
import { alternativesOf, schemaOf } from "./schema.ts";

export interface BadPath {
  what: string;
  method: string;
  /** below the base */
  path: string;
  /** undefined: any refusal will do */
  expected: Complaint | undefined;
}

export function pathOf(operation: Operation, ids: Record<string, string>): string {
  return `/${operation.path.replaceAll(/\{(\w+)\}/g, (_, name: string) => ids[name] ?? "")}`;
}

const namesIn = (operation: Operation) => [...operation.path.matchAll(/\{(\w+)\}/g)].map(([, name = ""]) => name);

/** As they stand in a path. What is not encoded well, or makes another path, may be refused in any way. */
const STRANGE_IDS = [
  "foo",
  "%27",
  "%22",
  "%20",
  "%C3%A9",
  "%F0%9F%98%80",
  "%00",
  "%0A",
  "a%0A",
  "%3Cscript%3E",
  "1;drop",
  "a+b",
  "null",
  "undefined",
  "*",
  "{id}",
  "a".repeat(300),
];
const ROUTE_BREAKERS = [
  "a/b",
  "%2F",
  "a%2Fb",
  "%2e%2e",
  "..",
  ".",
  "%",
  "%zz",
  "%25",
  "%252F",
  "%E9",
  "#",
  "%5C",
  "\\",
];
/** At the end of a path they would make the path of a list. */
const NOTHING = ["", "//"];

export function badIds(operation: Operation, ids: Record<string, string>): BadPath[] {
  return namesIn(operation).flatMap((name) => {
    const kind = PATH_IDS[name];
    // Of a file's id the prefix is not checked: whatever it is, there is no such file.
    const isChecked = kind !== undefined;
    const prefix = kind === undefined ? "" : ID_PREFIXES[kind];
    const at = (id: string) => pathOf(operation, { ...ids, [name]: id });
    const bad = (id: string, expected: Complaint | undefined): BadPath => {
      const what = `${id.slice(0, 30)} as ${name}`;
      return { what, method: operation.method, path: at(id), expected: isChecked ? expected : undefined };
    };
    const others = Object.entries(ids).filter(([other]) => other !== name);
    return [
      ...STRANGE_IDS.map((id) => bad(id, notAnId(name, prefix, decodeURIComponent(id)))),
      ...[...STRANGE_IDS.filter(isNoWord), "x".repeat(10_000)].map((id) => {
        return bad(`${prefix}_${id}`, notAnId(name, prefix, `${prefix}_${decodeURIComponent(id)}`));
      }),
      // The id of a batch, "vsfb_…", begins as that of a store does: there is no such store.
      ...others.map(([, id]) => bad(id, id.startsWith(prefix) ? undefined : notAnId(name, prefix, id))),
      ...ROUTE_BREAKERS.flatMap((id) => [bad(id, undefined), bad(`${prefix}_${id}x`, undefined)]),
      ...(operation.path.endsWith(`{${name}}`) ? [] : NOTHING.map((id) => bad(id, undefined))),
      bad(`${prefix}_none`, undefined),
    ];
  });
}

const isNoWord = (id: string) => !/^[\w-]*$/.test(id);

/** Operations that one base alone has are not found under the others. */
export const isEverywhere = (operation: Operation) => operation.name !== "listThreads";

// ---------------------------------------------------------------- queries

const NO_INTEGERS = [
  "abc",
  "",
  "1e2",
  "0x10",
  "%EF%BC%91",
  "5%20",
  "NaN",
  "Infinity",
  "true",
  "[]",
  "%00",
  "--1",
  "1,2",
];

export function badQueries(operation: Operation, ids: Record<string, string>): BadPath[] {
  if (operation.query === undefined) return [];
  const { properties = {} } = schemaOf(operation.query);
  const path = pathOf(operation, ids);
  const bad = (name: string, value: string, expected: Omit<Complaint, "param">): BadPath => {
    const what = `${name}=${value.slice(0, 30)}`;
    return { what, method: operation.method, path: `${path}?${name}=${value}`, expected: { ...expected, param: name } };
  };
  return Object.entries(properties).flatMap(([name, schema]) => {
    const [first = {}] = alternativesOf(schema);
    if (name === "after" && operation.name === "watchRun") return badPositions(bad);
    if (first.type === "integer") return badLimits(bad, name, first.maximum ?? 100);
    if (first.enum !== undefined) return badChoices(bad, name, first.enum);
    return name === "after" || name === "before" ? badCursors(bad, name) : [];
  });
}

type Make = (name: string, value: string, expected: Omit<Complaint, "param">) => BadPath;

function badLimits(bad: Make, name: string, maximum: number): BadPath[] {
  const not = (got: string) => ({
    message: `Invalid type for '${name}': expected an integer, but got ${got} instead.`,
    code: "invalid_type",
  });
  const below = (got: number) => ({
    message: `Invalid '${name}': integer below minimum value. Expected a value >= 1, but got ${got} instead.`,
    code: "integer_below_min_value",
  });
  const above = (got: number) => ({
    message: `Invalid '${name}': integer above maximum value. Expected a value <= ${maximum}, but got ${got} instead.`,
    code: "integer_above_max_value",
  });
  return [
    ...NO_INTEGERS.map((value) => bad(name, value, not("a string"))),
    bad(name, "1.5", not("a decimal")),
    ...[0, -1, -100].map((value) => bad(name, String(value), below(value))),
    ...[maximum + 1, 1_000_000].map((value) => bad(name, String(value), above(value))),
    bad(name, "9".repeat(400), { message: /^Invalid /, code: null }),
  ];
}

const badChoices = (bad: Make, name: string, choices: unknown[]) =>
  ["up", "", "DESC", "asc%20", "%27", "__proto__"].map((value) =>
    bad(name, value, {
      message: `Invalid value: '${decodeURIComponent(value)}'. Supported values are: ${listed(choices)}.`,
      code: "invalid_value",
    }),
  );

/** With a comma before the last of three or more. */
function listed(choices: unknown[]): string {
  const quoted = choices.map((choice) => `'${choice}'`);
  if (quoted.length === 2) return quoted.join(" and ");
  return [...quoted.slice(0, -1), `and ${quoted.at(-1)}`].join(", ");
}

const badCursors = (bad: Make, name: string) =>
  ["", "foo", "%00", "%27%20OR%201=1", "%F0%9F%98%80", "a/b", "x".repeat(5_000)].map((value) => {
    const id = decodeURIComponent(value);
    return bad(name, value, {
      message: `Invalid '${name}': no object found with id '${asShown(id)}'.`,
      code: "invalid_value",
    });
  });

const badPositions = (bad: Make) =>
  ["abc", "", "1.5", "-2", "%00", "9".repeat(400)].map((value) =>
    bad("after", value, { message: /^Invalid /, code: null }),
  );

// ---------------------------------------------------------------- methods and routes

/** TRACE and CONNECT never reach an app. */
const METHODS = ["GET", "POST", "PUT", "PATCH", "DELETE"];

const NOT_FOUND: Complaint = { message: "Resource not found", param: null, code: "404" };

const NOT_SERVED: Complaint = { message: /^(This deployment|Threadkeep) /, param: null, code: "not_served" };

/** Methods that a path does not have. */
export function wrongMethods(ids: Record<string, string>): BadPath[] {
  const byPath = new Map<string, Set<string>>();
  for (const operation of operations.filter(isEverywhere)) {
    const path = pathOf(operation, ids);
    byPath.set(path, (byPath.get(path) ?? new Set()).add(operation.method));
  }
  // "runs" in the place of an id is no id.
  byPath.delete("/threads/runs");
  return [...byPath].flatMap(([path, known]) =>
    METHODS.filter((method) => !known.has(method)).map((method) => {
      return { what: `${method} ${path}`, method, path, expected: NOT_FOUND };
    }),
  );
}

const isElsewhere = (path: string) => /^\/chat/.test(path);

/** Paths that are none of the API's, or none that are served. */
export const NO_ROUTES: BadPath[] = [
  "/",
  "/assistant",
  "/threads/runs/x/y",
  "/chat/completions",
  "/threads/thread_1/messages/msg_1/files",
  "/assistants/asst_1/x",
  "/deployments/gpt/threads",
  "/__proto__",
  "/constructor/prototype",
].map((path) => ({
  what: `GET ${path}`,
  method: "GET",
  path,
  expected: isElsewhere(path) ? NOT_SERVED : NOT_FOUND,
}));
