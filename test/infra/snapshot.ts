/** What the templates would create, as `bicep snapshot` tells it (infra/snapshots). */
import { readFileSync } from "node:fs";
import path from "node:path";

export const PROJECT = path.join(import.meta.dirname, "../..");

export const CONFIGURATIONS = ["default", "private"] as const;
export type Configuration = (typeof CONFIGURATIONS)[number];

export interface Resource {
  id: string;
  type: string;
  name: string;
  apiVersion: string;
  [property: string]: unknown;
}

export class Snapshot {
  readonly resources: Resource[];
  readonly outputs: Record<string, unknown>;
  /** what the CLI had to say */
  readonly diagnostics: unknown[];

  constructor(text: string) {
    const { predictedResources, outputs, diagnostics } = JSON.parse(text) as {
      predictedResources: Resource[];
      outputs: Record<string, unknown>;
      diagnostics: unknown[];
    };
    this.resources = predictedResources;
    this.outputs = outputs;
    this.diagnostics = diagnostics;
  }

  static read(configuration: Configuration): Snapshot {
    const file = path.join(PROJECT, `infra/snapshots/${configuration}.snapshot.json`);
    return new Snapshot(readFileSync(file, "utf8"));
  }

  of(type: string): Resource[] {
    return this.resources.filter((resource) => resource.type === type);
  }

  /** What each resource of the type has there: `undefined` where it has nothing. `[]` goes through all of a list. */
  values(type: string, where: string): unknown[] {
    return this.of(type).flatMap((resource) => valuesAt(resource, where));
  }

  /** Puts a value there in each resource of the type. */
  put(type: string, where: string, value: unknown): void {
    const dot = where.lastIndexOf(".");
    const [parent, key] = dot < 0 ? ["", where] : [where.slice(0, dot), where.slice(dot + 1)];
    for (const resource of this.of(type)) {
      for (const found of parent === "" ? [resource] : valuesAt(resource, parent)) {
        if (isObject(found)) found[key] = value;
      }
    }
  }

  /** The app's settings. Expressions that only a deployment can evaluate begin with `[`. */
  get settings(): Record<string, string> {
    const entries = this.values("Microsoft.Web/sites", "properties.siteConfig.appSettings[]");
    return Object.fromEntries((entries as { name: string; value: string }[]).map(({ name, value }) => [name, value]));
  }

  set settings(settings: Record<string, string>) {
    const entries = Object.entries(settings).map(([name, value]) => ({ name, value }));
    this.put("Microsoft.Web/sites", "properties.siteConfig.appSettings", entries);
  }
}

export function valuesAt(value: unknown, where: string): unknown[] {
  return where.split(".").reduce<unknown[]>((found, part) => found.flatMap((each) => step(each, part)), [value]);
}

function step(value: unknown, part: string): unknown[] {
  const isList = part.endsWith("[]");
  const next = isObject(value) ? value[isList ? part.slice(0, -2) : part] : undefined;
  if (!isList) return [next];
  return Array.isArray(next) ? next : [];
}

export const isObject = (value: unknown): value is Record<string, unknown> =>
  typeof value === "object" && value !== null && !Array.isArray(value);

/** A child's name has the names of its parents before it. */
export const lastName = ({ name }: Resource) => name.slice(name.lastIndexOf("/") + 1);
