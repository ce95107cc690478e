/** What only the store itself can tell, once everything is quiet. */
import type { Container } from "@azure/cosmos";
import { checkStore, type Report } from "../../../tools/check-store/check-store.ts";
import { TENANT } from "./cluster.ts";
import type { Memory } from "./memory.ts";
import { MARK } from "./model-scripts.ts";

export async function lookIntoStore(
  container: Container,
  memory: Memory,
): Promise<{ runs: Report["runs"]; problems: string[] }> {
  // The clocks of the instances differ by twice their skew at the most.
  const options = { tolerance: 12_000, eventsTtl: 86_400 };
  const strict = await checkStore(container, { ...options, messagesAreDeleted: false });
  const touched = new Set([...memory.touchedThreads].map((id) => `${TENANT}:${id}`));
  let { violations } = strict;
  if (violations.some(({ pk }) => touched.has(pk))) {
    const lenient = await checkStore(container, { ...options, messagesAreDeleted: true });
    violations = [
      ...violations.filter(({ pk }) => !touched.has(pk)),
      ...lenient.violations.filter(({ pk }) => touched.has(pk)),
    ];
  }
  const broken = violations.map(({ rule, id, detail, pk }) => `${rule}: ${id} ${detail} (${pk})`);
  const problems = [...broken, ...(await doubled(container)), ...(await leftovers(container, memory))];
  return { runs: strict.runs, problems };
}

/** Each run's id by the model name that it alone has. */
export async function runsByModel(container: Container): Promise<Map<string, string>> {
  const { resources } = await container.items
    .query<{ id: string; model: string }>("SELECT c.id, c.model FROM c WHERE c.kind = 'run'")
    .fetchAll();
  return new Map(resources.map(({ id, model }) => [model, id]));
}

/** Each request that makes a run has a model name of its own. */
async function doubled(container: Container): Promise<string[]> {
  const { resources } = await container.items
    .query<{ id: string; model: string }>("SELECT c.id, c.model FROM c WHERE c.kind = 'run'")
    .fetchAll();
  const marked = resources.filter(({ model }) => model.includes(MARK));
  return [...Map.groupBy(marked, ({ model }) => model).entries()]
    .filter(([, runs]) => runs.length > 1)
    .map(
      ([model, runs]) => `one request for ${model} made ${runs.length} runs: ${runs.map(({ id }) => id).join(", ")}`,
    );
}

/** A deleted thread is cleared away by and by: when everything is quiet, it has been. */
async function leftovers(container: Container, memory: Memory): Promise<string[]> {
  const problems: string[] = [];
  for (const [id, state] of memory.deletedThreads) {
    if (state !== "done") continue;
    const partitionKey = `${TENANT}:${id}`;
    const { resources } = await container.items.query<string>("SELECT VALUE c.id FROM c", { partitionKey }).fetchAll();
    if (resources.length > 0) problems.push(`${id} is deleted, and the store still has ${resources.join(", ")}`);
  }
  return problems;
}
