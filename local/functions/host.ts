// The host: an app, its front door, and the triggers that bring it work.

import path from "node:path";
import { AdminApi, type FunctionListing } from "./admin.ts";
import { Cors } from "./cors.ts";
import { HttpFront, type HttpTarget, httpRoutes } from "./http.ts";
import { FunctionKeys, type KeyOptions } from "./keys.ts";
import { consoleLog, type Log } from "./log.ts";
import type { Listener, RegisteredFunction } from "./protocol.ts";
import type { Route } from "./routes.ts";
import { type HostSettings, isDisabled, loadLocalSettings, readHostSettings, resolveSettings } from "./settings.ts";
import { startTimer } from "./timer.ts";
import { Worker } from "./worker.ts";

export interface HostOptions {
  /** The folder with the app's package.json and host.json. */
  appDir: string;
  /** 0 takes a free port. */
  port: number;
  /** The address to listen on: the loopback interface's by default. */
  host?: string;
  /** Origins of pages that browsers may let call the app, in place of those in local.settings.json. */
  cors?: string | undefined;
  keys?: KeyOptions;
  /** Where entries go; standard output by default. */
  log?: Log;
  /**
   * Serves only the functions of one of Flex Consumption's scale groups, each of which has instances of its own there:
   * `http`, or `function:NAME` for any other. All functions if absent.
   */
  scaleGroup?: string | undefined;
  /** Ends the worker: a function has taken longer than host.json allows. The reason is logged already. */
  killWorker: (reason: string) => void;
}

export interface Host {
  port: number;
  functions: FunctionListing[];
  /**
   * Takes no more requests and messages, lets handlers finish for up to `graceMs` (30 s by default), and runs the
   * appTerminate hooks, for which there are `terminateMs` (5 s by default).
   */
  stop(graceMs?: number, terminateMs?: number): Promise<Unfinished>;
}

/** What a stop has cut off. */
export interface Unfinished {
  handlers: number;
  hooks: boolean;
}

/** What the host in Azure gives a worker before it kills the process. */
const TERMINATE_MS = 5000;

/**
 * Starts the app of a folder; resolves when it serves requests and receives messages. One app a process, as the library
 * keeps its set-up in module state. Throws what the app threw at start, or what is wrong with its triggers.
 */
export async function startHost(options: HostOptions): Promise<Host> {
  const appDir = path.resolve(options.appDir);
  const log = options.log ?? consoleLog("information");
  const local = await loadLocalSettings(appDir);
  const settings = await readHostSettings(appDir);
  const { functionTimeoutMs } = settings;
  const overtime = (name: string, invocationId: string) => {
    const reason = `Timeout value of ${functionTimeoutMs / 1000} s was exceeded by function ${name} (${invocationId}).`;
    log.write("error", name, `${reason} The worker is ended, and every other invocation with it.`);
    options.killWorker(reason);
  };
  const worker = await Worker.load(appDir, log, { functionTimeoutMs, overtime });

  const inGroup = groupFilter(options.scaleGroup);
  // A copy: each look into the environment itself takes its time.
  const env = { ...process.env };
  const functions = worker.functions.filter((fn) => !isDisabled(fn.name, env) && inGroup(fn));
  for (const fn of functions) checkSupported(fn, log);
  const routes = httpRoutes(functions.filter(isHttp), settings.routePrefix);
  const listing = listFunctions(functions, routes);
  const admin = new AdminApi(worker, functions, listing);
  const cors = corsOf(options.cors ?? local.cors, local.corsCredentials);
  const front = new HttpFront(worker, routes, new FunctionKeys(options.keys ?? {}), admin, { ...settings, cors });
  // The port before the triggers: no message may be taken by a host that then fails to start.
  const port = await front.listen(options.port, options.host ?? "127.0.0.1");
  const listeners: Listener[] = [];
  try {
    for (const fn of functions) if (!isHttp(fn)) listeners.push(await startTrigger(worker, fn, settings));
  } catch (error) {
    await Promise.all([front.close(), ...listeners.map((listener) => listener.stop())]);
    await worker.terminate();
    throw error;
  }
  admin.state = "Running";

  const stop = async (graceMs = 30_000, terminateMs = TERMINATE_MS): Promise<Unfinished> => {
    admin.state = "Stopping";
    const finished = Promise.all([front.close(), ...listeners.map((listener) => listener.stop())]).then(() =>
      worker.idle(),
    );
    const inTime = await withinTime(finished, graceMs);
    const handlers = inTime ? 0 : worker.running;
    // Hooks may end what the handlers hold on to, and streams with it.
    const hooks = !(await withinTime(worker.terminate(), terminateMs));
    if (!inTime) front.abort();
    return { handlers, hooks };
  };
  return { port, functions: listing, stop };
}

const corsOf = (origins: string | undefined, credentials: boolean) =>
  origins ? new Cors({ origins, credentials }) : undefined;

const isHttp = (fn: RegisteredFunction) => fn.trigger.type === "httpTrigger";

function groupFilter(group: string | undefined): (fn: RegisteredFunction) => boolean {
  if (group === undefined) return () => true;
  if (group === "http") return isHttp;
  const [, name] = /^function:(.+)$/.exec(group) ?? [];
  if (name === undefined) throw new Error(`A scale group is "http" or "function:NAME", not "${group}".`);
  return (fn) => !isHttp(fn) && fn.name.toLowerCase() === name.toLowerCase();
}

const triggerTypes = ["httpTrigger", "serviceBusTrigger", "timerTrigger"];

/** Refuses by name what would otherwise silently never run, or silently lose its output. */
function checkSupported(fn: RegisteredFunction, log: Log): void {
  if (!triggerTypes.includes(fn.trigger.type)) {
    throw new Error(`Function "${fn.name}": a ${fn.trigger.type} is not supported by this host.`);
  }
  for (const [name, binding] of Object.entries(fn.metadata.bindings)) {
    if (name === fn.trigger.name || binding.type === "http") continue;
    throw new Error(`Function "${fn.name}": its binding "${name}" (${binding.type}) is not supported by this host.`);
  }
  if (fn.metadata.retryOptions) log.write("warning", fn.name, "its retry policy has no effect on this host");
}

async function startTrigger(worker: Worker, fn: RegisteredFunction, settings: HostSettings): Promise<Listener> {
  if (fn.trigger.type === "timerTrigger") return startTimer(worker, fn);
  // Loaded only when needed: an HTTP-only process starts without the Service Bus SDK.
  const { startServiceBusTrigger } = await import("./service-bus.ts");
  return startServiceBusTrigger(worker, fn, settings.serviceBus);
}

function listFunctions(functions: RegisteredFunction[], routes: Route<HttpTarget>[]): FunctionListing[] {
  const routeOf = new Map(routes.map((route) => [route.value.fn, route]));
  return functions.map((fn) => {
    const listed: FunctionListing = { name: fn.name, trigger: fn.trigger.type };
    const route = routeOf.get(fn);
    if (route) Object.assign(listed, { route: `/${route.template}`, methods: route.value.methods });
    const { schedule, queueName } = fn.trigger;
    if (typeof schedule === "string") listed.schedule = resolveSettings(schedule);
    if (typeof queueName === "string") listed.queue = resolveSettings(queueName);
    return listed;
  });
}

/** Whether a promise settles within a time. */
async function withinTime(work: Promise<unknown>, ms: number): Promise<boolean> {
  let timer: NodeJS.Timeout | undefined;
  const timeout = new Promise<false>((resolve) => {
    timer = setTimeout(() => resolve(false), ms);
  });
  try {
    return await Promise.race([work.then(() => true), timeout]);
  } finally {
    clearTimeout(timer);
  }
}
