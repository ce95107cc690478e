/** Bad requests with what must be answered: first every one that can be told from the schemas, then random ones. */
import fc from "fast-check";
import type { Operation } from "../../../src/api/operation.ts";
import { operations } from "../../../src/api/operations/index.ts";
import { type Complaint, defectsAt } from "./defects.ts";
import type { Fixture } from "./fixture.ts";
import { type BadPath, badIds, badQueries, isEverywhere, NO_ROUTES, pathOf, wrongMethods } from "./paths.ts";
import { DEEP, NO_JSON, randomBody, randomPath } from "./random.ts";
import { placesOf, schemaOf } from "./schema.ts";
import type { Raw } from "./wire.ts";

export interface Case {
  what: string;
  request: Raw;
  /** what the answer must say; undefined: any refusal */
  expected: Complaint | undefined;
  /** The input may be right in truth: then it is made for a tenant whose store may change. */
  mayBeRight: boolean;
}

const BASES = [
  { prefix: "/v1", query: "" },
  { prefix: "/openai", query: "api-version=2024-08-01-preview" },
  { prefix: "/api/projects/demo", query: "api-version=v1" },
];

const UNPARSABLE: Complaint = {
  message: /^We could not parse the JSON body of your request\. /,
  param: null,
  code: null,
};

type Rest = Omit<Case, "request"> & { method: string; path: string; body?: string | Buffer | undefined };

/** Under one of the API's bases by turns: what is wrong with a request does not depend on it. */
function caseOf(fixture: Fixture, index: number, { method, path, body, ...rest }: Rest): Case {
  const { prefix, query } = BASES[index % BASES.length] ?? { prefix: "", query: "" };
  const full = query === "" ? path : `${path}${path.includes("?") ? "&" : "?"}${query}`;
  const headers = {
    authorization: `Bearer ${fixture.tenant.key}`,
    "api-key": fixture.tenant.key,
    "content-type": "application/json",
  };
  return {
    ...rest,
    what: `${method} ${full.slice(0, 100)}: ${rest.what}`,
    request: { method, path: prefix + full, headers, body },
  };
}

/** Everything that can be told from the operations: each field, id, query and method with each way to be wrong. */
export function knownCases(fixture: Fixture): Case[] {
  const { ids } = fixture;
  const everywhere = operations.filter(isEverywhere);
  const paths: BadPath[] = [
    ...everywhere.flatMap((operation) => [...badIds(operation, ids), ...badQueries(operation, ids)]),
    ...wrongMethods(ids),
    ...NO_ROUTES,
  ];
  const bodies = everywhere.flatMap((operation) => bodiesOf(operation, fixture));
  return [...paths.map((each) => ({ ...each, mayBeRight: false })), ...bodies].map((each, index) =>
    caseOf(fixture, index, each),
  );
}

function bodiesOf(operation: Operation, { ids }: Fixture): Rest[] {
  if (operation.body === undefined) return [];
  const { method } = operation;
  const path = pathOf(operation, ids);
  const places = placesOf(schemaOf(operation.body), {
    assistant_id: ids.assistant_id,
    url: "https://pictures.example/cat.png",
  });
  const wrong = places.flatMap(defectsAt).map(({ what, body, expected }): Rest => {
    return { what, method, path, body: JSON.stringify(body), expected, mayBeRight: false };
  });
  const noJson = NO_JSON.map((body): Rest => {
    return { what: "no JSON", method, path, body, expected: UNPARSABLE, mayBeRight: false };
  });
  const deep = DEEP.map((body): Rest => {
    return { what: "1,000 levels", method, path, body: JSON.stringify(body), expected: undefined, mayBeRight: false };
  });
  return [...wrong, ...noJson, ...deep];
}

/** Random ones from a seed. Those that may be right are made for `scratch`, all others for `still`. */
export function randomCases(still: Fixture, scratch: Fixture, count: number, seed: number): Case[] {
  const withBody = operations.filter((operation) => operation.body !== undefined && isEverywhere(operation));
  const bodies = withBody.map((operation) => {
    const schema = schemaOf(operation.body ?? fail());
    return randomBody(schema, { assistant_id: still.ids.assistant_id }).map((body) => ({ operation, body }));
  });
  const paths = fc.sample(randomPath, { seed, numRuns: Math.ceil(count / 5) }).map((path): Case => {
    const headers = { authorization: `Bearer ${still.tenant.key}` };
    return {
      what: `GET ${JSON.stringify(path)}`,
      request: { method: "GET", path, headers },
      expected: undefined,
      mayBeRight: false,
    };
  });
  const requests = fc
    .sample(fc.oneof(...bodies), { seed, numRuns: count - paths.length })
    .map(({ operation, body }, index) => {
      const mayBeRight = isRight(operation, body);
      const fixture = mayBeRight ? scratch : still;
      const text = mayBeRight
        ? body.replaceAll(String(still.ids.assistant_id), String(scratch.ids.assistant_id))
        : body;
      const path = pathOf(operation, fixture.ids);
      const rest = {
        what: text.slice(0, 300),
        method: operation.method,
        path,
        body: text,
        expected: undefined,
        mayBeRight,
      };
      return caseOf(fixture, index, rest);
    });
  return [...paths, ...requests];
}

function isRight(operation: Operation, body: string): boolean {
  return operation.body?.safeParse(JSON.parse(body)).success === true;
}

function fail(): never {
  throw new Error("an operation without a body was picked");
}
