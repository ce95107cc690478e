/**
 * Confused requests about files, uploads, vector stores, batches and searches: each is answered in time and without a
 * 5xx, and what is refused has changed nothing. BAD_FILES says how many requests are made, BAD_SEED repeats a choice
 * of them.
 */
import fc from "fast-check";
import { expect, test } from "vitest";
import { newTenant } from "../harness.ts";
import { confusedRequest } from "./file-requests.ts";
import { type FilesFixture, newFilesFixture, quietDigest } from "./files-fixture.ts";
import { digestOf } from "./fixture.ts";
import { wrongRefusal } from "./refusals.ts";
import { type Raw, sendRaw } from "./wire.ts";

const REQUESTS = Number(process.env.BAD_FILES ?? 300);
const SEED = Number(process.env.BAD_SEED ?? Date.now() % 1_000_000_000);
const LANES = 6;

/** What was deleted or changed comes back with a new fixture. */
const FIXTURE_FOR = 150;

interface Report {
  statuses: Map<string, number>;
  complaints: string[];
}

test(`${REQUESTS} confused requests about files get no 5xx, and refusals change nothing (seed ${SEED})`, {
  timeout: 120_000 + REQUESTS * 200,
}, async () => {
  const stranger = await newFilesFixture();
  const report: Report = { statuses: new Map(), complaints: [] };
  const started = performance.now();
  await Promise.all(
    Array.from({ length: LANES }, (_, lane) => playLane(SEED + lane, Math.ceil(REQUESTS / LANES), stranger, report)),
  );
  const counts = [...report.statuses].toSorted().map(([status, count]) => `${count} got ${status}`);
  const seconds = ((performance.now() - started) / 1000).toFixed(1);
  console.log(`${REQUESTS} confused requests from seed ${SEED}: ${seconds} s; ${counts.join(", ")}`);
  expect(report.complaints.slice(0, 20).join("\n")).toBe("");
  // Else they would say nothing about what is behind the first look-up.
  expect(report.statuses.get("200")).toBeGreaterThan(REQUESTS / 20);
  expect(report.statuses.get("400")).toBeGreaterThan(REQUESTS / 20);
});

/** A tenant that sends one request after the other. */
async function playLane(seed: number, requests: number, stranger: FilesFixture, report: Report): Promise<void> {
  const tenant = newTenant();
  for (let played = 0; played < requests && report.complaints.length < 20; played += FIXTURE_FOR) {
    const fixture = await newFilesFixture(tenant, Object.values(stranger.ids));
    const numRuns = Math.min(FIXTURE_FOR, requests - played);
    await playOne(fixture, fc.sample(confusedRequest(fixture), { seed: seed + played * LANES, numRuns }), report);
  }
}

type Request = Raw & { operation: string };

async function playOne(fixture: FilesFixture, requests: Request[], report: Report): Promise<void> {
  let digest = await quietDigest(fixture);
  for (const request of requests) {
    const complaint = await complaintOf(request, report).catch((error: unknown) => `no answer: ${String(error)}`);
    if (complaint !== undefined && complaint !== "taken") report.complaints.push(`${shown(request)}\n    ${complaint}`);
    if (request.method === "GET") continue;
    // What comes of a request that was taken may be under way for a while.
    const after = complaint === "taken" ? await quietDigest(fixture) : await digestOf(fixture);
    if (complaint !== "taken" && after !== digest) report.complaints.push(`${shown(request)}\n    changes the store`);
    digest = after;
  }
}

const shown = ({ method, path, body }: Raw) => `${method} ${path.slice(0, 200)} ${String(body ?? "").slice(0, 600)}`;

/** Undefined for a refusal as it must be. */
async function complaintOf(request: Request, report: Report): Promise<"taken" | string | undefined> {
  const answer = await sendRaw({ ...request, limit: 20_000 });
  const status = String(answer.status);
  report.statuses.set(status, (report.statuses.get(status) ?? 0) + 1);
  return answer.status === 200 ? "taken" : wrongRefusal(answer, undefined, request.path);
}
