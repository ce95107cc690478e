// The Node worker's part: loads the app's entry points and runs invocations through the app's programming model.

import { randomUUID } from "node:crypto";
import { glob, readFile } from "node:fs/promises";
import type { Server } from "node:http";
import Module from "node:module";
import net from "node:net";
import path from "node:path";
import { pathToFileURL } from "node:url";
import { provideCoreModule, Registrations } from "./core-module.ts";
import type { Level, Log } from "./log.ts";
import type { HookName, InvocationRequest, Outcome, ProgrammingModel, RegisteredFunction } from "./protocol.ts";

export interface WorkerLimits {
  functionTimeoutMs: number;
  /** An invocation has taken longer. */
  overtime: (functionName: string, invocationId: string) => void;
}

/** setTimeout's limit, 24 days: longer timeouts count as none. */
const LONGEST_TIMER_MS = 2 ** 31 - 1;

/**
 * A loaded app. One a process: @azure/functions keeps its set-up in module state, as a real worker also has one app.
 */
export class Worker {
  readonly #registrations: Registrations;
  readonly #model: ProgrammingModel;
  readonly #withdrawCoreModule: () => void;
  readonly #streamServer: Server | undefined;
  readonly #idleWaiters: (() => void)[] = [];
  readonly #limits: WorkerLimits;
  #running = 0;
  /** Where the library listens for streamed requests; undefined when the app has not asked for HTTP streaming. */
  readonly streamUrl: URL | undefined;

  // biome-ignore lint/style/useConsistentMemberAccessibility: a constructor has no #private form.
  private constructor(
    registrations: Registrations,
    model: ProgrammingModel,
    withdrawCoreModule: () => void,
    stream: { url?: string | undefined; server?: Server | undefined },
    limits: WorkerLimits,
  ) {
    this.#limits = limits;
    this.#registrations = registrations;
    this.#model = model;
    this.#withdrawCoreModule = withdrawCoreModule;
    this.#streamServer = stream.server;
    this.streamUrl = stream.url ? new URL(stream.url) : undefined;
  }

  /** Loads the app of a folder and runs its appStart hooks. Throws what an entry point or a hook threw. */
  static async load(appDir: string, log: Log, limits: WorkerLimits): Promise<Worker> {
    const registrations = new Registrations(log);
    const withdraw = provideCoreModule(registrations);
    await importEntryPoints(appDir);
    await runHooks(registrations, "appStart", { functionAppDirectory: appDir });
    if (!registrations.model) throw new Error("The app registered no function with @azure/functions.");
    const model = registrations.model;
    const { capabilities, server } = await askCapabilities(model);
    registrations.closed = true;
    return new Worker(registrations, model, withdraw, { url: capabilities.HttpUri, server }, limits);
  }

  get functions(): RegisteredFunction[] {
    return [...this.#registrations.functions.values()];
  }

  /** Logs an entry of the host, which the app's hooks do not see. */
  writeLog(level: Level, functionName: string, message: string): void {
    this.#registrations.log.write(level, functionName, message);
  }

  /** Runs a function once, hooks included. Never rejects: a failure is the outcome's `error`. */
  async invoke(fn: RegisteredFunction, request: InvocationRequest): Promise<Outcome> {
    const invocationId = request.invocationId ?? randomUUID();
    let context: unknown;
    const coreContext = {
      invocationId,
      metadata: fn.metadata,
      request: { ...request, invocationId, functionId: fn.id },
      state: undefined as string | undefined,
      log: (level: string, category: string, message: string) =>
        this.#registrations.writeLog(level, category, message, fn.name, context),
    };
    let started = false;
    let overtime: NodeJS.Timeout | undefined;
    try {
      const model = this.#model.getInvocationModel(coreContext);
      // With streaming on, this waits for the forwarded request, which never comes if the client left before it was
      // sent: so an invocation counts as running from here on, or such a one would hold up every shutdown.
      const args = await model.getArguments();
      context = args.context;
      started = true;
      overtime = this.#watchTime(fn, invocationId);
      this.writeLog("debug", fn.name, "executing");
      this.#running++;

      const hookData = {};
      const common = { hookData, appHookData: this.#registrations.appHookData, invocationContext: context };
      const before = { ...common, functionCallback: fn.callback, inputs: args.inputs };
      coreContext.state = "preInvocationHooks";
      for (const hook of this.#registrations.hooks.preInvocation) await hook(before);

      const after = { ...common, inputs: before.inputs, result: undefined as unknown, error: undefined as unknown };
      coreContext.state = "invocation";
      try {
        after.result = await model.invokeFunction(context, before.inputs, before.functionCallback);
      } catch (error) {
        after.error = error ?? new Error("The handler threw nothing.");
      }
      coreContext.state = "postInvocationHooks";
      for (const hook of this.#registrations.hooks.postInvocation) await hook(after);
      coreContext.state = undefined;

      if (after.error !== undefined && after.error !== null) throw after.error;
      const response = await model.getResponse(context, after.result);
      return { invocationId, returned: after.result, response };
    } catch (error) {
      return { invocationId, error };
    } finally {
      clearTimeout(overtime);
      if (started) this.#finished();
    }
  }

  /** Resolves as soon as no handler is running. */
  async idle(): Promise<void> {
    if (this.#running > 0) await new Promise<void>((resolve) => this.#idleWaiters.push(resolve));
  }

  /** The number of handlers that have started and not ended. */
  get running(): number {
    return this.#running;
  }

  /** Runs the appTerminate hooks and closes the library's stream server, for which the library itself has no call. */
  async terminate(): Promise<void> {
    await runHooks(this.#registrations, "appTerminate", {});
    this.#streamServer?.close();
    this.#streamServer?.closeAllConnections();
    this.#withdrawCoreModule();
  }

  #watchTime(fn: RegisteredFunction, invocationId: string): NodeJS.Timeout | undefined {
    const { functionTimeoutMs, overtime } = this.#limits;
    if (functionTimeoutMs > LONGEST_TIMER_MS) return undefined;
    return setTimeout(() => overtime(fn.name, invocationId), functionTimeoutMs);
  }

  #finished(): void {
    this.#running--;
    if (this.#running > 0) return;
    for (const resolve of this.#idleWaiters.splice(0)) resolve();
  }
}

/** Imports the files that package.json's `main` names, a glob as in every v4 app, in the order of the glob. */
async function importEntryPoints(appDir: string): Promise<void> {
  const packageFile = path.join(appDir, "package.json");
  const manifest: { main?: string; type?: string } = JSON.parse(await readFile(packageFile, "utf8"));
  const files: string[] = [];
  if (manifest.main) for await (const file of glob(manifest.main, { cwd: appDir })) files.push(file);
  if (files.length === 0) {
    throw new Error(`No entry point: "main" of ${packageFile} is "${manifest.main ?? ""}", which matches no file.`);
  }
  const require = Module.createRequire(packageFile);
  for (const file of files.toSorted()) {
    const absolute = path.join(appDir, file);
    const esm = file.endsWith(".mjs") || (manifest.type === "module" && !file.endsWith(".cjs"));
    if (esm) await import(pathToFileURL(absolute).href);
    else require(absolute);
  }
}

async function runHooks(registrations: Registrations, name: HookName, context: object): Promise<void> {
  const { hooks, appHookData } = registrations;
  for (const hook of [...hooks[name]]) await hook({ ...context, hookData: appHookData, appHookData });
}

/**
 * Asks the library what it can do, upon which it starts its stream server if the app wants one. The library would
 * listen on every network interface and keep no handle; so for this one call a listen() without an address gets
 * 127.0.0.1, and we remember the server.
 */
async function askCapabilities(
  model: ProgrammingModel,
): Promise<{ capabilities: Record<string, string>; server: Server | undefined }> {
  const original = net.Server.prototype.listen;
  let server: Server | undefined;
  net.Server.prototype.listen = function (this: Server, ...args: unknown[]) {
    const [onListening] = args;
    if (typeof onListening !== "function") return Reflect.apply(original, this, args);
    server = this;
    // Idle connections from our keep-alive agent must not be closed just as a request goes out on them.
    this.keepAliveTimeout = 0;
    return Reflect.apply(original, this, [0, "127.0.0.1", onListening]);
  };
  try {
    const offered = { RawHttpBodyBytes: "true", RpcHttpBodyOnly: "true", TypedDataCollection: "true" };
    return { capabilities: await model.getCapabilities(offered), server };
  } finally {
    net.Server.prototype.listen = original;
  }
}
