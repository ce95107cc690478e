/** Ways to run a model's code twice, not at all or in the wrong place, that tests must notice. */
import { type Break, edit, of } from "./break.ts";

const DRIVERS = "test/unit/runs/code-drivers.test.ts";
const POINTS = "test/faults/code-points.test.ts";
const CELLS = "test/unit/code/driver.test.ts";

export const CODE_BREAKS: Break[] = [
  of(
    9,
    "calls are done before they are stored",
    [
      edit(
        "runs/hosting.ts",
        "return await storeCalls(this.#engine, this.#owned, turn, changes);",
        "return undefined;",
      ),
    ],
    { caughtBy: DRIVERS, named: "the calls are stored" },
  ),
  of(
    9,
    "a takeover asks the model again, though its calls are stored",
    [
      edit(
        "runs/drive.ts",
        "outcome = unready ?? (isPending ? CALLS : await asks());",
        "outcome = unready ?? (await asks());",
      ),
    ],
    { caughtBy: DRIVERS, named: "leaves the calls to the next one" },
  ),
  of(
    9,
    "a takeover asks the model again, also after the death of a process",
    [
      edit(
        "runs/drive.ts",
        "outcome = unready ?? (isPending ? CALLS : await asks());",
        "outcome = unready ?? (await asks());",
      ),
    ],
    { caughtBy: POINTS, named: "before its code runs" },
  ),
  of(
    9,
    "a call that has run is run again: the ledger is not asked",
    [edit("code/driver-cells.ts", "if answer is not None:\n        return", "if False:\n        return")],
    { caughtBy: CELLS, named: "a call that ran is not run again" },
  ),
  of(
    9,
    "a call that has run is run again, also after the death of a process",
    [edit("code/driver-cells.ts", "if answer is not None:\n        return", "if False:\n        return")],
    { caughtBy: POINTS, named: "when its code runs or has run" },
  ),
  of(
    9,
    "a call is answered with what other code of its name did",
    [edit("code/driver.ts", "[step, id, code]", "[step, id]")],
    { caughtBy: CELLS, named: "a call that ran is not run again" },
  ),
  of(
    9,
    "calls are named by the model's ids alone, which some models give again",
    [edit("runs/tools/code-interpreter.ts", "step: files.step,", 'step: "",')],
    { caughtBy: "test/unit/runs/code-turns.test.ts", named: "keeps one session for its thread" },
  ),
  of(
    9,
    "the code of a run that was cancelled goes on",
    [edit("runs/tools/code-interpreter.ts", 'if (kind !== "ending" && !isForgotten) return;', "return;")],
    { caughtBy: DRIVERS, named: "a cancelled run ends" },
  ),
  of(
    9,
    "the thread of a run that ended without a driver keeps the session of its code",
    [edit("runs/end-undriven.ts", "sessionAfter(run)", "{}")],
    { caughtBy: DRIVERS, named: "cancelled after its driver died" },
  ),
];
