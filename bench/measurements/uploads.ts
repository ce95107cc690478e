/**
 * Files of 300 MB, one and eight at once: what they add to the memory of the host and the app, which are one process here, and
 * how fast they are beside the same bytes sent straight to Blob Storage (Azurite).
 */
import { readFileSync } from "node:fs";
import { request } from "node:http";
import { Readable } from "node:stream";
import { setTimeout as sleep } from "node:timers/promises";
import { BlobServiceClient } from "@azure/storage-blob";
import type { Bench, Measurement, Outcome } from "../lib/measurement.ts";
import type { Subject } from "../lib/subject.ts";

const MEGABYTE = 1_048_576;
const SIZE = 300 * MEGABYTE;
const AT_ONCE = 8;
const PIECE = Buffer.alloc(65_536, "x");
const BLOCK = 4 * MEGABYTE;

export const uploads: Measurement = {
  name: "uploads",
  title: "Uploads of large files",
  worksRemotely: false,
  measure: (bench) => bench.onApp({ blobs: true, env: { MAX_UPLOADS: "64" } }, (subject) => measure(bench, subject)),
};

interface Taken {
  seconds: number;
  /** beyond what the process had before, at the most; megabytes */
  memory: number;
}

async function measure(bench: Bench, subject: Subject): Promise<Outcome> {
  const size = bench.quick ? SIZE / 10 : SIZE;
  await upload(subject, MEGABYTE);
  const { pid } = subject.local.processes.functions;
  if (pid === undefined) throw new Error("the functions host does not run");
  const straight = await straightToStorage(subject, size);
  const one = await watched(pid, () => upload(subject, size));
  const many = await watched(pid, () => Promise.all(Array.from({ length: AT_ONCE }, () => upload(subject, size))));
  const speed = (seconds: number, files = 1) => (files * size) / MEGABYTE / seconds;
  const row = (what: string, { seconds, memory }: Taken, files: number) => [
    what,
    Math.round(seconds * 10) / 10,
    Math.round(speed(seconds, files)),
    Math.round(memory),
  ];
  return {
    tables: [
      {
        title: `Files of ${size / MEGABYTE} MB`,
        columns: ["", "seconds", "MB/s", "MB of RSS added"],
        rows: [
          ["straight to Azurite", Math.round(straight * 10) / 10, Math.round(speed(straight)), ""],
          row("one file", one, 1),
          row(`${AT_ONCE} at once`, many, AT_ONCE),
        ],
      },
    ],
    goals: [
      { text: "memory of one upload", measured: one.memory, unit: "MB", bound: 64, kind: "at most" },
      { text: `memory of ${AT_ONCE} at once`, measured: many.memory, unit: "MB", bound: 250, kind: "at most" },
      {
        text: "speed beside Azurite alone",
        measured: straight / one.seconds,
        unit: "of it",
        bound: 0.7,
        kind: "at least",
      },
    ],
    figures: [],
    notes: ["Client, app and Azurite share the machine, so the speeds tell only how they compare."],
  };
}

/** Seconds for the same bytes by the SDK's own stream, from this process. */
async function straightToStorage({ local }: Subject, size: number): Promise<number> {
  const client = BlobServiceClient.fromConnectionString(local.blobStorage ?? "");
  const blob = client.getContainerClient("files").getBlockBlobClient("bench/straight");
  const started = performance.now();
  await blob.uploadStream(Readable.from(pieces(size)), BLOCK, 2);
  const seconds = (performance.now() - started) / 1000;
  await blob.delete();
  return seconds;
}

function* pieces(size: number): Generator<Buffer> {
  for (let sent = 0; sent < size; sent += PIECE.length) yield PIECE.subarray(0, Math.min(PIECE.length, size - sent));
}

const HEAD =
  '--x\r\nContent-Disposition: form-data; name="purpose"\r\n\r\nassistants\r\n' +
  '--x\r\nContent-Disposition: form-data; name="file"; filename="large.txt"\r\n\r\n';
const END = "\r\n--x--\r\n";

/** Sends a file as a client does; throws if it does not arrive whole. */
async function upload({ local: { baseUrl, apiKey } }: Subject, size: number): Promise<void> {
  const answer = await new Promise<string>((resolve, reject) => {
    const sending = request(`${baseUrl}/files`, {
      method: "POST",
      headers: {
        authorization: `Bearer ${apiKey}`,
        "content-type": "multipart/form-data; boundary=x",
        "content-length": HEAD.length + size + END.length,
      },
    });
    sending.once("error", reject);
    sending.once("response", async (response) => resolve((await response.toArray()).join("")));
    Readable.from(form(size)).pipe(sending);
  });
  const file = JSON.parse(answer) as { bytes?: number };
  if (file.bytes !== size) throw new Error(`an upload of ${size} bytes was answered with ${answer.slice(0, 300)}`);
}

function* form(size: number): Generator<Buffer> {
  yield Buffer.from(HEAD);
  yield* pieces(size);
  yield Buffer.from(END);
}

/** Looks at the memory of a process while something is done. */
async function watched(pid: number, work: () => Promise<unknown>): Promise<Taken> {
  const before = residentMegabytes(pid);
  const started = performance.now();
  let [highest, done] = [before, false];
  const watching = (async () => {
    while (!done) {
      highest = Math.max(highest, residentMegabytes(pid));
      await sleep(50);
    }
  })();
  await work().finally(() => {
    done = true;
  });
  const seconds = (performance.now() - started) / 1000;
  await watching;
  return { seconds, memory: highest - before };
}

const residentMegabytes = (pid: number) =>
  Number(/VmRSS:\s+(\d+)/.exec(readFileSync(`/proc/${pid}/status`, "utf8"))?.[1]) / 1024;
