/** Requests that meet the front end before they meet the app. */
import type { OutgoingHttpHeaders } from "node:http";
import { type Check, outcomeOf } from "../check.ts";

interface Odd {
  what: string;
  method?: string;
  /** behind the base URL */
  path?: string;
  /** instead of the base URL and `path` */
  whole?: string;
  headers?: OutgoingHttpHeaders;
  body?: Buffer;
  /** "cut": the connection is closed before the answer */
  allowed: string[];
}

/** Below what the app takes, above what the front end may. */
const LARGE_BODY = 33 * 1_048_576;

const odd = (base: string): Odd[] => [
  { what: "//", whole: `/${base}/assistants`, allowed: ["200", "404"] },
  { what: "upper case", whole: `${base.toUpperCase()}/ASSISTANTS`, allowed: ["200"] },
  { what: "%2F", path: "/assistants/asst_a%2Fb", allowed: ["400", "404"] },
  { what: "%zz", path: "/assistants/%zz", allowed: ["400", "404"] },
  { what: "9 KB URL", path: `/assistants?x=${"y".repeat(9_000)}`, allowed: ["200", "400", "404", "414"] },
  {
    what: "14 KB headers",
    path: "/assistants",
    headers: { "x-large": "y".repeat(14_000) },
    allowed: ["200", "400", "431"],
  },
  { what: "HEAD", method: "HEAD", path: "/assistants", allowed: ["200", "404", "405"] },
  { what: "OPTIONS", method: "OPTIONS", path: "/assistants", allowed: ["200", "204", "404", "405"] },
  { what: "/", whole: "/", allowed: ["200", "404"] },
  {
    what: "33 MB body",
    method: "POST",
    path: "/threads",
    headers: { "content-type": "application/json" },
    body: Buffer.alloc(LARGE_BODY, " "),
    allowed: ["400", "413", "429", "cut"],
  },
  { what: "no such path", path: "/first-hour", allowed: ["404"] },
];

export const httpChecks: Check[] = [
  {
    number: 19,
    title: "odd paths, methods and sizes",
    why: "the platform's front end answers some requests itself",
    expected: "2xx or 4xx of the right kind, never 5xx",
    onlyOnAzure: "the front end may answer //, long URLs and large headers itself: 404, 414, 431",
    writes: false,
    async run({ app }) {
      const base = new URL(app.url).pathname;
      const problems: string[] = [];
      const seen: string[] = [];
      for (const { what, method = "GET", path = "", whole, headers, body, allowed } of odd(base)) {
        const status = await app.raw(method, whole ?? `${base}${path}`, headers, body);
        seen.push(`${what} ${status}`);
        if (!allowed.includes(status)) problems.push(`${what}: ${status}, not ${allowed.join(" or ")}`);
      }
      return outcomeOf(problems, seen.join(", "));
    },
  },
];
