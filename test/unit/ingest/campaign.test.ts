/** Vector stores under all faults at once. INGEST_FILES and INGEST_SEEDS (such as "1,2,3") make it longer. */
import { expect, test, vi } from "vitest";
import { campaign } from "./campaign.ts";
import { IngestWorld } from "./world.ts";

const FILES = Number(process.env.INGEST_FILES ?? 60);
const SEEDS = (process.env.INGEST_SEEDS ?? "1").split(",").map(Number);

vi.setConfig({ testTimeout: 120_000 + FILES * 5_000 });

test.each(SEEDS)("nothing is lost, stuck, counted twice or left behind: seed %i", async (seed) => {
  const world = await IngestWorld.start();
  try {
    const report = await campaign(world, seed, FILES);
    console.log(`seed ${seed}: ${JSON.stringify(report)}`);
    expect(report.completed).toBeGreaterThan(0);
  } finally {
    await world.stop();
  }
});
