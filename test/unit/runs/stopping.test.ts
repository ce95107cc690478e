/** A process that is told to stop has five seconds in Azure, whatever its store does. */
import { expect, test } from "vitest";
import { startWorld } from "../threads/world.ts";

test("a store that hangs does not keep a process from stopping", async () => {
  const world = await startWorld();
  try {
    const { partition, id } = await world.thread(0);
    world.cosmos.setFaults([{ fault: "hang" }]);
    // A driver that wants to write its outcome, and tries for as long as the store is in trouble.
    let isOver = false;
    void world.engine.drives.run(async (stop) => {
      await new Promise((resolve) => stop.signal.addEventListener("abort", resolve));
      while (!isOver) await partition.read(id).catch(() => undefined);
    });
    await world.app.close();
    expect(world.engine.drives.count).toBe(1);
    isOver = true;
  } finally {
    world.cosmos.setFaults([]);
    await world.stop();
  }
});
