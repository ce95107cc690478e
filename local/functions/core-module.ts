// Supplies the module `@azure/functions-core`, which exists only inside a Node worker. @azure/functions requires it
// when the app registers its first function; without it the library goes into a "test mode" and registers nothing.

import Module from "node:module";
import type { Log } from "./log.ts";
import { isLevel } from "./log.ts";
import {
  type FunctionCallback,
  type FunctionMetadata,
  type HookCallback,
  type HookName,
  hookNames,
  type ProgrammingModel,
  type RegisteredFunction,
} from "./protocol.ts";

/** What an app has registered so far: its functions, its hooks and the programming model (@azure/functions itself). */
export class Registrations {
  readonly functions = new Map<string, RegisteredFunction>();
  readonly hooks: Record<HookName, HookCallback[]> = {
    preInvocation: [],
    postInvocation: [],
    appStart: [],
    appTerminate: [],
    log: [],
  };
  readonly appHookData: Record<string, unknown> = {};
  model: ProgrammingModel | undefined;
  /** Set when the app has started: functions that come later are refused, as Azure has already indexed the app. */
  closed = false;
  readonly log: Log;

  constructor(log: Log) {
    this.log = log;
  }

  addFunction(metadata: FunctionMetadata, callback: FunctionCallback): Disposable {
    if (this.closed) throw new Error("A function can only be registered during app startup.");
    const id = metadata.functionId ?? metadata.name;
    if (this.functions.has(id)) throw new Error(`A function with id "${id}" has already been registered.`);
    const trigger = Object.entries(metadata.bindings).find(([, binding]) => /trigger$/i.test(binding.type ?? ""));
    if (!trigger) throw new Error(`Function "${metadata.name}" has no trigger.`);
    const [name, binding] = trigger;
    this.functions.set(id, {
      id,
      name: metadata.name,
      metadata: { ...metadata, functionId: id },
      callback,
      trigger: { ...binding, name, type: binding.type ?? "" },
    });
    return new Disposable(() => this.functions.delete(id));
  }

  addHook(name: string, callback: HookCallback): Disposable {
    const known = hookNames.find((hook) => hook === name);
    if (!known) {
      // The library looks for this mark to say that hosts of its age have no such hook.
      throw Object.assign(new RangeError(`Unrecognized hook "${name}"`), { isAzureFunctionsSystemError: true });
    }
    const hooks = this.hooks[known];
    hooks.push(callback);
    return new Disposable(() => {
      const index = hooks.indexOf(callback);
      if (index >= 0) hooks.splice(index, 1);
    });
  }

  /**
   * Logs an entry of the library, which is of the app ("user") or of its own ("system"). The app's log hooks are run,
   * which may change level and message of the former.
   */
  writeLog(level: string, category: string, message: string, functionName: string, invocationContext?: unknown): void {
    const entry = { level, category, message, invocationContext, hookData: {}, appHookData: this.appHookData };
    for (const hook of this.hooks.log) hook(entry);
    const { level: chosen, message: text } = category === "user" ? entry : { level, message };
    // What the library says about itself is noise unless something is wrong.
    if (category !== "user" && chosen === "information") return;
    this.log.write(isLevel(chosen) ? chosen : "information", functionName, text);
  }
}

/** The members of `@azure/functions-core` that @azure/functions 4.x uses. */
function coreModule(registrations: Registrations): object {
  return {
    version: "3.0.0",
    // The library compares no numbers; it only looks for members that came with certain host versions.
    hostVersion: "4.1037.0",
    Disposable,
    registerFunction: (metadata: FunctionMetadata, callback: FunctionCallback) =>
      registrations.addFunction(metadata, callback),
    registerHook: (name: string, callback: HookCallback) => registrations.addHook(name, callback),
    setProgrammingModel: (model: ProgrammingModel) => {
      registrations.model = model;
    },
    getProgrammingModel: () => registrations.model,
    log: (level: string, category: string, message: string) => registrations.writeLog(level, category, message, "host"),
  };
}

/**
 * Makes `require("@azure/functions-core")` answer with our module, as the real worker does. Call the result to undo.
 */
export function provideCoreModule(registrations: Registrations): () => void {
  const core = coreModule(registrations);
  const original = Module.prototype.require;
  const patched = function (this: NodeJS.Module, id: string): unknown {
    return id === "@azure/functions-core" ? core : original.call(this, id);
  };
  Module.prototype.require = Object.assign(patched, original);
  return () => {
    Module.prototype.require = original;
  };
}

/** The worker's Disposable: runs its function on the first dispose() only. */
class Disposable {
  #onDispose: (() => unknown) | undefined;

  constructor(onDispose: () => unknown) {
    this.#onDispose = onDispose;
  }

  static from(...disposables: { dispose(): unknown }[]): Disposable {
    return new Disposable(() => {
      for (const disposable of disposables) disposable.dispose();
    });
  }

  dispose(): unknown {
    const onDispose = this.#onDispose;
    this.#onDispose = undefined;
    return onDispose?.();
  }
}
