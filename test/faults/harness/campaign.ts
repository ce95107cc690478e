/** Many stories at once while everything goes wrong; then peace, and the question whether all that was promised came true. */
import { setTimeout as sleep } from "node:timers/promises";
import { checkStore } from "../../../tools/check-store/check-store.ts";
import { Chaos, type ChaosOptions } from "./chaos.ts";
import { clientOf, insist, isTransient } from "./clients.ts";
import { type Cluster, type ClusterOptions, startCluster } from "./cluster.ts";
import { Memory } from "./memory.ts";
import { MODEL_NAMES, type ModelName, scriptModels } from "./model-scripts.ts";
import { Random } from "./random.ts";
import { comeBack, STORIES, type StoryName, type Teller, tell } from "./stories.ts";
import { brokenPromises } from "./verdict.ts";
import { Watchers } from "./watchers.ts";

export interface CampaignOptions extends ChaosOptions {
  seed: number;
  /** stories; a story that finds no instance makes no run */
  runs: number;
  /** stories at a time */
  lanes: number;
  /** how long a user waits for a run before doing something else, in milliseconds */
  patience: number;
  /** how long the runs may take to end after the last fault, in milliseconds */
  quiet: number;
  appDir?: string | undefined;
  log?: string | undefined;
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
  /** time that the last run took to end after the last fault, in milliseconds */
  quietAfter: number | undefined;
  seconds: number;
  /** empty if all is well */
  problems: string[];
}

const CLIENT_PATIENCE = 30_000;

/** Of a thread that is free again, how likely it gets another run. */
const AGAIN = 0.4;

export async function runCampaign(options: CampaignOptions): Promise<CampaignReport> {
  const started = performance.now();
  const random = new Random(options.seed);
  const clusterOptions: ClusterOptions = { random: random.fork(), appDir: options.appDir, log: options.log };
  const cluster = await startCluster(clusterOptions);
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
  readonly #stories: Record<string, number> = {};
  readonly #problems: string[] = [];

  constructor(cluster: Cluster, random: Random, options: CampaignOptions) {
    this.#cluster = cluster;
    this.#random = random;
    this.#options = options;
  }

  async run(): Promise<Omit<CampaignReport, "seconds">> {
    const teller = await this.#prepare();
    const chaos = new Chaos(this.#cluster, this.#random.fork(), this.#options);
    await chaos.begin();
    const began = performance.now();
    try {
      await this.#tellAll(teller);
    } finally {
      await chaos.end();
    }
    const calm = Date.now();
    const stormy = Math.round((performance.now() - began) / 1000);
    // Whoever does not find a run again has found a problem, and the rest of the store is looked at all the same.
    await comeBack({ ...teller, patience: this.#options.quiet }).catch((error: unknown) => {
      this.#problems.push(`somebody came back in vain: ${error}`);
    });
    const quietAfter = await this.#untilQuiet(calm);
    const { violations, runs } = await this.#check();
    await teller.watchers.stop();
    const promises = await brokenPromises(teller.client, this.#memory, teller.watchers);
    const { seed } = this.#options;
    const problems = [...this.#problems, ...this.#cluster.crashes, ...promises, ...violations];
    const acknowledged = this.#memory.runs.size;
    return {
      seed,
      stories: this.#stories,
      acknowledged,
      endings: runs,
      faults: chaos.counts,
      stormy,
      quietAfter,
      problems,
    };
  }

  /** What must be there before the first fault. */
  async #prepare(): Promise<Teller> {
    const { doors, apiKey, stack } = this.#cluster;
    await scriptModels(stack.model.baseUrl);
    const client = clientOf(doors, apiKey, this.#random.fork(), 0.5);
    // Now and then a run that lives for a short time only, too.
    const creator = clientOf(doors, apiKey, this.#random.fork(), 0.9);
    const shortLived = clientOf(doors, apiKey, this.#random.fork(), 0);
    const assistants: Partial<Record<ModelName, string>> = {};
    for (const model of MODEL_NAMES) assistants[model] = (await client.beta.assistants.create({ model })).id;
    const all = assistants as Record<ModelName, string>;
    const random = this.#random.fork();
    const { patience } = this.#options;
    const watchers = new Watchers(client);
    const memory = this.#memory;
    return { client, creator, shortLived, memory, watchers, random, assistants: all, patience, unfinished: [] };
  }

  async #tellAll(teller: Teller): Promise<void> {
    let told = 0;
    const lane = async () => {
      let threadId: string | undefined;
      while (told++ < this.#options.runs) {
        const name = this.#random.weighted(STORIES);
        this.#stories[name] = (this.#stories[name] ?? 0) + 1;
        threadId = await this.#tellOne(teller, name, threadId);
      }
    };
    await Promise.all(Array.from({ length: this.#options.lanes }, lane));
  }

  /** Answers with the thread if it can take another story. */
  async #tellOne(teller: Teller, name: StoryName, threadId: string | undefined): Promise<string | undefined> {
    try {
      const thread = await this.#threadWithQuestion(teller, threadId);
      const isFree = await tell(teller, name, thread);
      return isFree && this.#random.chance(AGAIN) ? thread : undefined;
    } catch (error) {
      // Whatever is not an accident is a wrong answer.
      if (!isTransient(error)) this.#problems.push(`${name}: ${error}`);
      else if (!(error instanceof Error) || !("status" in error))
        this.#problems.push(`${name}: ${(error as Error).stack}`);
      return undefined;
    }
  }

  async #threadWithQuestion({ client }: Teller, threadId: string | undefined): Promise<string> {
    const question = { role: "user" as const, content: "Please lookup." };
    const { threads } = client.beta;
    const until = Date.now() + CLIENT_PATIENCE;
    if (threadId === undefined) return (await insist(() => threads.create({ messages: [question] }), until)).id;
    await insist(() => threads.messages.create(threadId, question), until);
    return threadId;
  }

  /**
   * Nobody asks, nobody helps: how long it takes until every run has ended; undefined if it takes too long. A run whose
   * user never heard of it may wait for outputs until it expires: that is not due yet.
   */
  async #untilQuiet(calm: number): Promise<number | undefined> {
    const started = Date.now();
    const query = {
      query:
        "SELECT VALUE c.id FROM c WHERE c.internal.due > 0 AND (c.status != 'requires_action' OR c.internal.due < @end)",
      parameters: [{ name: "@end", value: started + this.#options.quiet }],
    };
    for (;;) {
      const { resources } = await this.#cluster.threads.items.query<string>(query).fetchAll();
      if (resources.length === 0) return Date.now() - calm;
      if (Date.now() - started > this.#options.quiet) {
        this.#problems.push(`stuck after ${this.#options.quiet / 1000} s: ${resources.join(", ")}`);
        return undefined;
      }
      await sleep(250);
    }
  }

  async #check() {
    // The clocks of the instances differ by twice their skew at the most.
    const options = { tolerance: 12_000, eventsTtl: 86_400, messagesAreDeleted: false };
    const { violations, runs } = await checkStore(this.#cluster.threads, options);
    return { runs, violations: violations.map(({ rule, id, detail, pk }) => `${rule}: ${id} ${detail} (${pk})`) };
  }
}
