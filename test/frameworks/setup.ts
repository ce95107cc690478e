/** Starts the whole app once for the tests of all frameworks, each of which has a tenant of its own. */
import type { TestProject } from "vitest/node";
import { startStack } from "../../local/stack.ts";

export const FRAMEWORKS = ["copilotkit", "experts", "langchain", "promptfoo", "teams-ai", "vercel-ai"] as const;
export type Framework = (typeof FRAMEWORKS)[number];

export const keyOf = (framework: Framework) => `key-of-${framework}-0123456789`;

declare module "vitest" {
  interface ProvidedContext {
    origin: string;
    modelUrl: string;
  }
}

export default async function setup(project: TestProject): Promise<() => Promise<void>> {
  const keys = FRAMEWORKS.map((framework) => `${framework}:${keyOf(framework)}`).join(",");
  const stack = await startStack({ env: { API_KEYS: keys }, log: process.env.E2E_LOG ?? "quiet" });
  project.provide("origin", new URL(stack.baseUrl).origin);
  project.provide("modelUrl", stack.model.baseUrl);
  return () => stack.stop();
}
