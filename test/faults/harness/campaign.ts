/** Many stories at once while everything goes wrong; then peace, and the question whether all that was promised came true. */
import { setTimeout as sleep } from "node:timers/promises";
import { controlModel } from "../../../local/model/control.ts";
import { Chaos, type ChaosOptions } from "./chaos.ts";
import { clientOf, insist, isRefusal, isTransient } from "./clients.ts";
import { type Cluster, LEASE, startCluster } from "./cluster.ts";
import type { Explained } from "./explain.ts";
import { type FloodReport, flood } from "./flood.ts";
import { largeThreads } from "./large-threads.ts";
import { Ledger } from "./ledger.ts";
import { Memory } from "./memory.ts";
import { countCalls } from "./model-calls.ts";
import { MODEL_NAMES, type ModelName, scriptModels } from "./model-scripts.ts";
import { Random } from "./random.ts";
import { lookIntoStore, runsByModel } from "./store-look.ts";
import { CODE_STORIES, comeBack, STORIES, type StoryName, tell } from "./stories.ts";
import type { Teller } from "./story.ts";
import { brokenPromises } from "./verdict.ts";
import { Watchers } from "./watchers.ts";

export interface CampaignOptions extends ChaosOptions {
  seed: number;
  /** stories, or more until the last siege is over; a story that finds no instance makes no run */
  runs: number;
  /** stories at a time */
  lanes: number;
  /** how long a user waits for a run before doing something else, in milliseconds */
  patience: number;
  /** how long the runs may take to end after the last fault, in milliseconds */
  quiet: number;
  /** how far the clocks of instances may be off, either way, in milliseconds */
  skew: number;
  /** after the last fault the sweep is run by hand so often, in milliseconds; by its own timer only unless given */
  sweep?: number | undefined;
  appDir?: string | undefined;
  log?: string | undefined;
  likeAzure?: boolean | undefined;
  /** models run code, and the sessions' server has faults and dies, too */
  code?: boolean | undefined;
}

export interface CampaignReport {
  seed: number;
  stories: Record<string, number>;
  /** runs that the API has acknowledged */
  acknowledged: number;
  /** all runs of the store by their status, also those whose acknowledgement got lost */
  endings: Record<string, number>;
  faults: Record<string, number>;
  /** how long there were faults, in seconds */
  stormy: number;
  /** model calls of all runs of the campaign */
  modelCalls: Explained;
  flood: FloodReport;
  /** time that the last run took to end after the last fault, in milliseconds */
  quietAfter: number | undefined;
  seconds: number;
  /** empty if all is well */
  problems: string[];
}

/** How long a client insists on a thread and a message for its run: longer than a siege. Milliseconds. */
const CLIENT_PATIENCE = 60_000;

/** One large thread for so many runs. */
const RUNS_PER_LARGE_THREAD = 300;

/** Of a thread that is free again, how likely it gets another run. */
const AGAIN = 0.4;

export async function runCampaign(options: CampaignOptions): Promise<CampaignReport> {
  const started = performance.now();
  const random = new Random(options.seed);
  const { skew, appDir, log, likeAzure, code } = options;
  const cluster = await startCluster({ random: random.fork(), skew, appDir, log, likeAzure, code });
  try {
    const campaign = new Campaign(cluster, random, options);
    const report = await campaign.run();
    return { ...report, seconds: Math.round((performance.now() - started) / 1000) };
  } finally {
    await cluster.stop();
  }
}

class Campaign {
  readonly #cluster: Cluster;
  readonly #random: Random;
  readonly #options: CampaignOptions;
  readonly #memory = new Memory();
  readonly #ledger = new Ledger();
  #told = 0;
  readonly #stories: Record<string, number> = {};
  readonly #problems: string[] = [];

  constructor(cluster: Cluster, random: Random, options: CampaignOptions) {
    this.#cluster = cluster;
    this.#random = random;
    this.#options = options;
  }

  async run(): Promise<Omit<CampaignReport, "seconds">> {
    const teller = await this.#prepare();
    const chaos = this.#chaos();
    await chaos.begin();
    const began = performance.now();
    try {
      await this.#tellAll(teller, chaos);
    } finally {
      await chaos.end();
    }
    const calm = Date.now();
    const stormy = Math.round((performance.now() - began) / 1000);
    // A user who does not find a run again has found a problem, and the rest of the store is looked at all the same.
    await comeBack({ ...teller, patience: this.#options.quiet }).catch((error: unknown) => {
      this.#problems.push(`a user came back in vain: ${error}`);
    });
    const flooded = await flood(this.#cluster);
    const quietAfter = await this.#untilQuiet(calm);
    const { runs, problems } = await lookIntoStore(this.#cluster.threads, this.#memory);
    await teller.watchers.stop();
    const promises = await brokenPromises(teller.client, this.#memory, teller.watchers);
    const modelCalls = await this.#modelCalls();
    return {
      seed: this.#options.seed,
      stories: this.#stories,
      acknowledged: this.#memory.runs.size,
      endings: runs,
      faults: chaos.counts,
      stormy,
      modelCalls,
      flood: flooded,
      quietAfter,
      problems: [
        ...this.#problems,
        ...this.#cluster.crashes,
        ...promises,
        ...problems,
        ...modelCalls.complaints,
        ...flooded.problems,
      ],
    };
  }

  #chaos(): Chaos {
    const progress = () => this.#told / this.#options.runs;
    const context = { cluster: this.#cluster, random: this.#random.fork(), ledger: this.#ledger, progress };
    return new Chaos(context, this.#options);
  }

  async #modelCalls(): Promise<Explained> {
    const { stack, skews } = this.#cluster;
    const calls = await controlModel(stack.model.baseUrl).calls();
    return countCalls(calls, await runsByModel(this.#cluster.threads), {
      ledger: this.#ledger,
      skews,
      lease: LEASE * 1000,
    });
  }

  /** What must be there before the first fault. */
  async #prepare(): Promise<Teller> {
    const { doors, apiKey, stack, lag } = this.#cluster;
    await scriptModels(stack.model.baseUrl);
    const newClient = (share: number) => clientOf({ doors, apiKey, random: this.#random.fork(), lag }, share);
    const client = newClient(0.5);
    // Now and then a run that lives for a short time only, too.
    const creator = newClient(0.9);
    const shortLived = newClient(0);
    const assistants: Partial<Record<ModelName, string>> = {};
    for (const model of MODEL_NAMES) assistants[model] = (await client.beta.assistants.create({ model })).id;
    const all = assistants as Record<ModelName, string>;
    const bigThreads = await largeThreads(client, Math.ceil(this.#options.runs / RUNS_PER_LARGE_THREAD));
    const random = this.#random.fork();
    const { patience } = this.#options;
    const memory = this.#memory;
    const watchers = new Watchers(client, memory);
    const clients = { client, creator, shortLived };
    return { ...clients, memory, watchers, random, assistants: all, bigThreads, patience, lag, unfinished: [] };
  }

  async #tellAll(teller: Teller, chaos: Chaos): Promise<void> {
    const stories: Partial<Record<StoryName, number>> = this.#options.code ? CODE_STORIES : STORIES;
    const names = Object.keys(stories) as StoryName[];
    const lane = async () => {
      let threadId: string | undefined;
      while (this.#told < this.#options.runs || !chaos.isComplete) {
        const name = names[this.#told++] ?? this.#random.weighted(stories as Record<StoryName, number>);
        this.#stories[name] = (this.#stories[name] ?? 0) + 1;
        threadId = await this.#tellOne(teller, name, threadId);
      }
    };
    await Promise.all(Array.from({ length: this.#options.lanes }, lane));
  }

  /** Answers with the thread if it can take another story. */
  async #tellOne(teller: Teller, name: StoryName, threadId: string | undefined): Promise<string | undefined> {
    try {
      const isLarge = name === "large-thread";
      const thread = isLarge ? this.#largeThread(teller) : await this.#threadWithQuestion(teller, threadId);
      const isFree = await tell(teller, name, thread);
      return isFree && !isLarge && this.#random.chance(AGAIN) ? thread : undefined;
    } catch (error) {
      // Whatever is not an accident is a wrong answer.
      if (!isTransient(error)) this.#problems.push(`${name}: ${error}`);
      else if (!(error instanceof Error) || !("status" in error))
        this.#problems.push(`${name}: ${(error as Error).stack}`);
      return undefined;
    }
  }

  #largeThread({ bigThreads: [first, ...more] }: Teller): string {
    if (first === undefined) throw new Error("there is no large thread");
    return this.#random.pick([first, ...more]);
  }

  async #threadWithQuestion({ client }: Teller, threadId: string | undefined): Promise<string> {
    const question = { role: "user" as const, content: "Please lookup." };
    const { threads } = client.beta;
    const until = Date.now() + CLIENT_PATIENCE;
    const another = async () => (await insist(() => threads.create({ messages: [question] }), until)).id;
    if (threadId === undefined) return another();
    try {
      await insist(() => threads.messages.create(threadId, question), until);
      return threadId;
    } catch (error) {
      if (!isRefusal(error) || !this.#isLocked(error)) throw error;
      return another();
    }
  }

  /**
   * Whether a thread is refused because of a run that goes on. An instance that was frozen while it created a run does so
   * when it goes on: its client has asked another instance meanwhile, and that run may have ended.
   */
  #isLocked({ message }: Error): boolean {
    const id = /while a run (run_\w+) is active/.exec(message)?.[1];
    return id !== undefined && this.#memory.runs.get(id)?.ending === undefined;
  }

  /**
   * No client asks for anything now: how long it takes until every run has ended and every deleted thread is cleared
   * away; undefined if it takes too long. A run whose user never heard of it may wait for outputs until it expires: that
   * is not due yet.
   */
  async #untilQuiet(calm: number): Promise<number | undefined> {
    const started = Date.now();
    const { quiet, sweep } = this.#options;
    const query = {
      query:
        "SELECT VALUE c.id FROM c WHERE c.internal.due > 0 AND (c.kind != 'run' OR c.status != 'requires_action' OR c.internal.due < @end)",
      parameters: [{ name: "@end", value: started + quiet }],
    };
    for (let swept = started; ; ) {
      const { resources } = await this.#cluster.threads.items.query<string>(query).fetchAll();
      if (resources.length === 0) return Date.now() - calm;
      if (Date.now() - started > quiet) {
        this.#problems.push(`stuck after ${quiet / 1000} s: ${resources.join(", ")}`);
        return undefined;
      }
      await sleep(250);
      if (sweep === undefined || Date.now() - swept < sweep) continue;
      swept = Date.now();
      await this.#cluster.sweep();
    }
  }
}
