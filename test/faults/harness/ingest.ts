/** The long form of the campaign of test/unit/ingest: vector stores under all faults at once, one world a seed. */
import { campaign } from "../../unit/ingest/campaign.ts";
import { IngestWorld } from "../../unit/ingest/world.ts";

/** Prints a line a seed; false if anything was lost, stuck, counted twice or left behind in any. */
export async function runIngestCampaigns(seeds: number[], files: number): Promise<boolean> {
  let isSound = true;
  for (const seed of seeds) {
    const world = await IngestWorld.start();
    const started = performance.now();
    try {
      const report = await campaign(world, seed, files);
      const seconds = Math.round((performance.now() - started) / 1000);
      console.log(
        `seed ${seed}: nothing lost, stuck, counted twice or left behind in ${seconds} s: ${JSON.stringify(report)}`,
      );
    } catch (error) {
      isSound = false;
      console.log(error instanceof Error ? error.message : String(error));
    } finally {
      await world.stop();
    }
  }
  return isSound;
}
