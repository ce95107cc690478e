import { expect, test } from "vitest";
import { newTenant } from "../e2e/harness.ts";
import { needsFiles, RECORDINGS, Replay, readRecordings, untilFirstRun } from "./replay.ts";

const recordings = readRecordings();

test.skipIf(recordings.length > 0)(`no recordings are replayed: there is no ${RECORDINGS}`, ({ skip }) => skip());

for (const recording of recordings) {
  test.skipIf(needsFiles(recording))(
    `the original's client gets the original's answers: ${recording.name}`,
    async () => {
      const replay = new Replay(newTenant());
      const exchanges = untilFirstRun(recording);
      expect(exchanges.length).toBeGreaterThan(0);
      for (const exchange of exchanges) await replay.step(exchange);
    },
  );
}
