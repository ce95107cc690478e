import { describe, expect, test } from "vitest";
import { ACTIVE_STATUSES, isTerminal, type RunStatus, TERMINAL_STATUSES } from "../../../src/resources/run.ts";
import {
  acceptsToolOutputs,
  cancelling,
  claimed,
  claimFields,
  type Ending,
  ended,
  isExpired,
  isResting,
  isUnowned,
  mayBeCancelled,
  mayBecome,
  paused,
  released,
  renewed,
  resumed,
  WAKE_UP_GRACE,
} from "../../../src/runs/lifecycle.ts";
import type { RunDoc } from "../../../src/store/documents.ts";
import {
  CREATED,
  callsStep,
  functionCall,
  NOW,
  NOW_IN_SECONDS,
  place,
  RESERVED,
  runDoc,
  runIn,
  USAGE,
} from "../documents.ts";

const ALL: RunStatus[] = [...ACTIVE_STATUSES, ...TERMINAL_STATUSES];
const LEASE = 20_000;
const ERROR = { code: "server_error", message: "Sorry, something went wrong." };

const ENDINGS: Ending[] = [
  { status: "completed" },
  { status: "incomplete", reason: "max_completion_tokens" },
  { status: "failed", error: ERROR },
  { status: "cancelled" },
  { status: "expired" },
];

/** All ways between statuses (docs/contract.md 3.1, and what the engine adds); any other must throw. */
const LEGAL: Record<RunStatus, RunStatus[]> = {
  queued: ["in_progress", "cancelling", "cancelled", "failed", "expired"],
  in_progress: ["requires_action", "cancelling", "completed", "incomplete", "failed", "expired"],
  requires_action: ["queued", "in_progress", "cancelling", "cancelled", "failed", "expired"],
  cancelling: ["cancelled", "failed", "expired"],
  completed: [],
  incomplete: [],
  failed: [],
  cancelled: [],
  expired: [],
};

/** The transition that makes a run pass to this status. */
function pass(run: RunDoc, to: RunStatus): RunDoc {
  switch (to) {
    case "queued":
      return resumed(run, NOW);
    case "in_progress":
      return claimed(run, "worker-2", RESERVED, NOW, LEASE);
    case "requires_action":
      return paused(run, callsStep([]), [functionCall("call_1", null)]);
    case "cancelling":
      return cancelling(run, NOW);
    default: {
      const ending = ENDINGS.find(({ status }) => status === to);
      if (ending === undefined) throw new Error(`no ending is called ${to}`);
      return ended(run, ending, NOW);
    }
  }
}

describe("from each status a run passes to those that the table names, and to no other:", () => {
  for (const from of ALL) {
    for (const to of ALL) {
      // A run under way may be claimed again: that is a takeover, not a transition.
      if (from === "in_progress" && to === "in_progress") continue;
      const legal = LEGAL[from].includes(to);
      test(`${from} -> ${to}: ${legal ? "yes" : "no"}`, () => {
        expect(mayBecome(from, to)).toBe(legal);
        if (legal) expect(pass(runIn(from), to).status).toBe(to);
        else expect(() => pass(runIn(from), to)).toThrow(`a run cannot pass from ${from} to ${to}`);
      });
    }
  }
});

test("a run is active or over, and nothing follows its end", () => {
  expect(ACTIVE_STATUSES.filter(isTerminal)).toEqual([]);
  expect(TERMINAL_STATUSES.filter(isTerminal)).toEqual([...TERMINAL_STATUSES]);
  for (const status of TERMINAL_STATUSES) expect(LEGAL[status]).toEqual([]);
});

test("only a paused run takes tool outputs", () => {
  expect(ALL.filter(acceptsToolOutputs)).toEqual(["requires_action"]);
});

test("every active run but one that is being cancelled can be cancelled", () => {
  expect(ALL.filter(mayBeCancelled)).toEqual(["queued", "in_progress", "requires_action"]);
});

describe("a run counts as expired", () => {
  const expiry = (CREATED + 600) * 1000;

  test.each(ACTIVE_STATUSES)(
    "when it is %s at the second of its expires_at, and not a millisecond before",
    (status) => {
      const run = runIn(status);
      expect(isExpired(run, expiry - 1)).toBe(false);
      expect(isExpired(run, expiry)).toBe(true);
    },
  );

  test("never once it has ended or if it has no expires_at", () => {
    for (const status of TERMINAL_STATUSES) expect(isExpired({ status, expires_at: CREATED }, expiry)).toBe(false);
    expect(isExpired({ status: "queued", expires_at: null }, Number.MAX_SAFE_INTEGER)).toBe(false);
  });
});

test("any worker may claim a run without a lease, and one whose lease has ended, from that very moment", () => {
  const until = NOW + 100;
  const leased = runDoc({}, { lease: { owner: "worker-1", until } });
  expect(isUnowned(runDoc(), NOW)).toBe(true);
  expect(isUnowned(leased, until - 1)).toBe(false);
  expect(isUnowned(leased, until)).toBe(true);
});

/** What a transition wrote: the fields of the run that are not as before, and the same of its internals. */
function changes(before: RunDoc, after: RunDoc) {
  const differing = (a: object, b: object) =>
    Object.fromEntries(
      [...new Set([...Object.keys(a), ...Object.keys(b)])]
        .filter((name) => name !== "internal")
        .map((name) => [name, Reflect.get(b, name) as unknown] as const)
        .filter(([name, value]) => JSON.stringify(value) !== JSON.stringify(Reflect.get(a, name))),
    );
  return { run: differing(before, after), internal: differing(before.internal, after.internal) };
}

describe("claiming", () => {
  const until = NOW + LEASE;

  test("a queued run writes started_at, the lease, the reserved ids and when to look again", () => {
    const before = runIn("queued");
    expect(changes(before, claimed(before, "worker-2", RESERVED, NOW, LEASE))).toEqual({
      run: { status: "in_progress", started_at: NOW_IN_SECONDS },
      internal: {
        lease: { owner: "worker-2", until },
        due: until,
        reserved: RESERVED,
        last_seq: place(13),
        attempts: 1,
      },
    });
  });

  test("a run that goes on after tool outputs overwrites started_at", () => {
    const before = resumed(runIn("requires_action"), NOW);
    expect(before.started_at).toBe(CREATED + 2);
    expect(claimed(before, "worker-2", RESERVED, NOW, LEASE).started_at).toBe(NOW_IN_SECONDS);
  });

  test("a run of a dead driver changes nothing but lease and attempts: the repeated call writes over what is there", () => {
    const before = runIn("in_progress");
    const others = { messageStep: "step_other", message: "msg_other", toolStep: "step_other2" };
    expect(changes(before, claimed(before, "worker-2", others, NOW, LEASE))).toEqual({
      run: {},
      internal: { lease: { owner: "worker-2", until }, due: until, attempts: before.internal.attempts + 1 },
    });
  });

  test("writes the same whether or not the run was read first", () => {
    const { internal, ...fields } = claimFields("worker-2", RESERVED, NOW, LEASE);
    expect(claimed(runIn("queued"), "worker-2", RESERVED, NOW, LEASE)).toMatchObject({ ...fields, internal });
  });
});

describe("driving", () => {
  const attempted = (attempts: number): RunDoc => {
    const run = runIn("in_progress");
    return { ...run, internal: { ...run.internal, attempts } };
  };

  test("renews the lease of its owner and when to look again", () => {
    const before = runIn("in_progress");
    expect(changes(before, renewed(before, NOW, LEASE))).toEqual({
      run: {},
      internal: { lease: { owner: "worker-1", until: NOW + LEASE }, due: NOW + LEASE },
    });
  });

  test("cannot renew a lease that there is not", () => {
    expect(() => renewed(runIn("queued"), NOW, LEASE)).toThrow(/has no lease to renew/);
  });

  test("releases a run for another attempt later: still in progress, with the ids that it reserved", () => {
    const before = attempted(3);
    expect(changes(before, released(before, NOW + 4_000, false))).toEqual({
      run: {},
      internal: { lease: null, due: NOW + 4_000 },
    });
  });

  test("takes an attempt back that did not ask the model", () => {
    expect(released(attempted(3), NOW, true).internal.attempts).toBe(2);
    expect(released(attempted(0), NOW, true).internal.attempts).toBe(0);
  });

  test("lets a released run rest until its time, and no other", () => {
    const resting = released(attempted(1), NOW + 4_000, false);
    expect(isResting(resting, NOW + 3_999)).toBe(true);
    expect(isResting(resting, NOW + 4_000)).toBe(false);
    expect(isResting(runIn("in_progress"), NOW)).toBe(false);
    expect(isResting(runIn("queued"), 0)).toBe(false);
  });
});

test("pausing shows the calls without outputs, frees the run and looks again when it expires; usage stays hidden", () => {
  const before = runIn("in_progress");
  const calls = [functionCall("call_1", null), functionCall("call_2", null, "get_time")];
  expect(changes(before, paused(before, callsStep(calls), calls))).toEqual({
    run: {
      status: "requires_action",
      required_action: {
        type: "submit_tool_outputs",
        submit_tool_outputs: {
          tool_calls: [
            { id: "call_1", type: "function", function: { name: "get_weather", arguments: '{"city":"Berlin"}' } },
            { id: "call_2", type: "function", function: { name: "get_time", arguments: '{"city":"Berlin"}' } },
          ],
        },
      },
    },
    internal: { lease: null, reserved: null, due: (CREATED + 600) * 1000, attempts: 0, open: [`step_${place(13)}`] },
  });
});

test("resuming clears the required action and keeps started_at and expires_at", () => {
  const before = runIn("requires_action");
  expect(changes(before, resumed(before, NOW))).toEqual({
    run: { status: "queued", required_action: null },
    internal: { open: [], due: NOW + WAKE_UP_GRACE },
  });
});

describe("cancelling", () => {
  test("a run under way asks its owner, and looks again when the lease ends", () => {
    const before = runIn("in_progress");
    expect(changes(before, cancelling(before, NOW))).toEqual({ run: { status: "cancelling" }, internal: {} });
    expect(cancelling(before, NOW).internal.due).toBe(before.internal.lease?.until);
  });

  test("a run whose owner is gone is due at once", () => {
    const before = runIn("in_progress");
    const late = (before.internal.lease?.until ?? 0) + 1;
    expect(cancelling(before, late).internal.due).toBe(late);
  });

  test("a paused run takes back what it asked for; cancelled_at and usage stay null", () => {
    const before = runIn("requires_action");
    expect(changes(before, cancelling(before, NOW))).toEqual({
      run: { status: "cancelling", required_action: null },
      internal: { due: NOW },
    });
  });
});

describe("ending", () => {
  /** Where a run may come from, and what its end writes on it beside expires_at and usage. */
  const table: [RunStatus, Ending, Record<string, unknown>][] = [
    ["in_progress", { status: "completed" }, { completed_at: NOW_IN_SECONDS }],
    [
      "in_progress",
      { status: "incomplete", reason: "max_completion_tokens" },
      { completed_at: NOW_IN_SECONDS, incomplete_details: { reason: "max_completion_tokens" } },
    ],
    [
      "in_progress",
      { status: "incomplete", reason: "max_prompt_tokens" },
      { completed_at: NOW_IN_SECONDS, incomplete_details: { reason: "max_prompt_tokens" } },
    ],
    ["in_progress", { status: "failed", error: ERROR }, { failed_at: NOW_IN_SECONDS, last_error: ERROR }],
    [
      "queued",
      { status: "failed", error: ERROR },
      { failed_at: NOW_IN_SECONDS, last_error: ERROR, started_at: NOW_IN_SECONDS },
    ],
    ["cancelling", { status: "cancelled" }, { cancelled_at: NOW_IN_SECONDS }],
    ["queued", { status: "cancelled" }, { cancelled_at: NOW_IN_SECONDS }],
    ["requires_action", { status: "cancelled" }, { cancelled_at: NOW_IN_SECONDS, required_action: null }],
    ["queued", { status: "expired" }, {}],
    ["in_progress", { status: "expired" }, {}],
    ["requires_action", { status: "expired" }, { required_action: null }],
    ["cancelling", { status: "expired" }, {}],
  ];

  test.each(table)("%s -> $status writes its own time and reason, and no other", (from, ending, written) => {
    const before = runIn(from);
    const usage = before.internal.usage;
    expect(changes(before, ended(before, ending, NOW)).run).toEqual({
      status: ending.status,
      expires_at: null,
      usage,
      ...written,
    });
  });

  test("shows the usage of all model calls, or zeros if there was none", () => {
    expect(ended(runIn("in_progress"), { status: "completed" }, NOW).usage).toEqual(USAGE);
    expect(ended(runIn("queued"), { status: "expired" }, NOW).usage).toEqual({
      prompt_tokens: 0,
      completion_tokens: 0,
      total_tokens: 0,
    });
  });

  test("leaves nothing to look after: no due time, no lease, nothing open", () => {
    for (const [from, ending] of table) {
      const { internal } = ended(runIn(from), ending, NOW);
      expect(internal).not.toHaveProperty("due");
      expect(internal).toMatchObject({ lease: null, reserved: null, open: [], attempts: 0 });
    }
  });
});

test("no transition changes the run that it was given", () => {
  for (const from of ALL) {
    for (const to of LEGAL[from]) {
      const before = runIn(from);
      const copy = structuredClone(before);
      pass(before, to);
      expect(before).toEqual(copy);
    }
  }
});
