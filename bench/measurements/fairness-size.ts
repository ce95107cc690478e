/** The longest gap in one tenant's stream while another sends the largest requests that there are. */
import { setTimeout as sleep } from "node:timers/promises";
import { controlModel } from "../../local/model/control.ts";
import { type LargeRequest, largeRequests, objectsFor, sendLarge } from "../lib/large-requests.ts";
import type { Bench, Cell, Measurement, Outcome } from "../lib/measurement.ts";
import { quantile } from "../lib/quantiles.ts";
import { INSTRUCTIONS, QUESTION, type Subject } from "../lib/subject.ts";
import { Wire } from "../lib/wire.ts";

const BIG = "a-key-of-the-big-tenant";
const SMALL = "a-key-of-the-small-tenant";

/** Milliseconds. */
const TOKEN = 10;
const QUIET = 3_000;

/** More than the measurement takes. */
const WORDS = 60_000;

export const fairnessSize: Measurement = {
  name: "fairness-size",
  title: "Streams beside large requests",
  worksRemotely: false,
  measure: (bench) =>
    bench.onApp({ env: { API_KEYS: `big:${BIG},small:${SMALL}`, SHOW_COSTS: "true" } }, (subject) =>
      compare(bench, subject),
    ),
};

interface Sample {
  /** the longest, in milliseconds */
  gap: number;
  stall: number;
}

async function compare(bench: Bench, subject: Subject): Promise<Outcome> {
  const control = controlModel(subject.local.model.baseUrl);
  const requests = largeRequests(await objectsFor(subject.sdk, control));
  const stream = await Watched.open(subject);
  const quiet: Sample[] = [];
  const beside: { request: LargeRequest; sample: Sample; seconds: number }[] = [];
  for (const request of bench.quick ? requests.slice(0, 2) : requests) {
    bench.say(request.what);
    quiet.push(await stream.during(sleep(bench.quick ? TOKEN * 20 : QUIET)));
    const before = performance.now();
    const sample = await stream.during(sendLarge(subject.local.baseUrl, BIG, request));
    beside.push({ request, sample, seconds: (performance.now() - before) / 1000 });
  }
  stream.close();
  return outcome(quiet, beside);
}

function outcome(quiet: Sample[], beside: { request: LargeRequest; sample: Sample; seconds: number }[]): Outcome {
  const row = (name: string, { gap, stall }: Sample, ...more: Cell[]): Cell[] => [name, gap, stall, ...more];
  const longest = longestOf(quiet);
  const worst = longestOf(beside.map(({ sample }) => sample));
  return {
    tables: [
      {
        title: "Longest gap in a stream, longest stall of the app",
        columns: ["beside", "gap, ms", "stall, ms of CPU", "request, s", "status"],
        rows: [
          row(`nothing, ${quiet.length} times`, longest, "", ""),
          row("nothing, median", { gap: middle(quiet, "gap"), stall: middle(quiet, "stall") }, "", ""),
          ...beside.map(({ request, sample, seconds }) => row(request.what, sample, seconds, request.status)),
        ],
      },
    ],
    goals: [
      {
        text: "longest gap beside a request, by the longest without",
        measured: worst.gap / longest.gap,
        unit: "",
        bound: 2,
        kind: "at most",
      },
      { text: "longest stall of the app", measured: worst.stall, unit: "ms", bound: 50, kind: "at most" },
    ],
    figures: [],
    notes: ["Clients, model and servers share two cores with the app: a large request keeps all of them busy."],
  };
}

const middle = (samples: Sample[], what: keyof Sample) =>
  quantile(
    samples.map((sample) => sample[what]),
    0.5,
  );

const longestOf = (samples: Sample[]): Sample => ({
  gap: Math.max(...samples.map(({ gap }) => gap)),
  stall: Math.max(...samples.map(({ stall }) => stall)),
});

/** The stream of the small tenant. */
class Watched {
  readonly #origin: string;
  readonly #wire: Wire;
  #last = performance.now();
  #gap = 0;
  #close = () => {};

  static async open(subject: Subject): Promise<Watched> {
    const { baseUrl } = subject.local;
    const model = await subject.modelThat("slow", { text: Array(WORDS).fill("word "), tokenMs: TOKEN });
    const watched = new Watched(baseUrl);
    const wire = watched.#wire;
    const { id } = await wire.json<{ id: string }>("POST", "assistants", { model, instructions: INSTRUCTIONS });
    const thread = { messages: [{ role: "user", content: QUESTION }] };
    const body = { assistant_id: id, thread, stream: true };
    const stream = await wire.stream("POST", "threads/runs", body, () => watched.#heard());
    watched.#close = () => stream.close();
    stream.ended.catch(() => undefined);
    return watched;
  }

  constructor(baseUrl: string) {
    this.#origin = new URL(baseUrl).origin;
    this.#wire = new Wire(baseUrl, SMALL);
  }

  /** The longest gap and stall until the work is done. */
  async during(work: Promise<unknown>): Promise<Sample> {
    await this.#longestStall();
    this.#gap = 0;
    await work;
    this.#heard();
    const gap = this.#gap;
    return { gap, stall: await this.#longestStall() };
  }

  close(): void {
    this.#close();
    this.#wire.close();
  }

  #heard(): void {
    const now = performance.now();
    this.#gap = Math.max(this.#gap, now - this.#last);
    this.#last = now;
  }

  async #longestStall(): Promise<number> {
    const response = await fetch(`${this.#origin}/costs`);
    return ((await response.json()) as { longestStall: number }).longestStall;
  }
}
