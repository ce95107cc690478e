/** All rules that one thread must keep, by name. */
import type { CheckOptions, Finding, Rule } from "./rule.ts";
import { answersAsStepsSay } from "./rules/answers.ts";
import { codeIsSound } from "./rules/code.ts";
import { deletedAtOnce } from "./rules/deleted.ts";
import { nothingOverdue } from "./rules/due.ts";
import { logsTellTheTruth } from "./rules/event-log.ts";
import { documentsAreReadable } from "./rules/form.ts";
import { locksMatchRuns } from "./rules/lock.ts";
import { messagesAreWhole } from "./rules/messages.ts";
import { everythingInOrder } from "./rules/order.ts";
import { everythingInItsPlace } from "./rules/place.ts";
import { runsAreWhole } from "./rules/runs.ts";
import { stepsAreWhole } from "./rules/steps.ts";
import { usageAddsUp } from "./rules/usage.ts";
import type { ThreadSnapshot } from "./snapshot.ts";

export const RULES = {
  form: documentsAreReadable,
  place: everythingInItsPlace,
  due: nothingOverdue,
  deleted: deletedAtOnce,
  lock: locksMatchRuns,
  run: runsAreWhole,
  step: stepsAreWhole,
  message: messagesAreWhole,
  answer: answersAsStepsSay,
  usage: usageAddsUp,
  code: codeIsSound,
  order: everythingInOrder,
  events: logsTellTheTruth,
} satisfies Record<string, Rule>;

export type RuleName = keyof typeof RULES;

export interface Violation extends Finding {
  rule: RuleName;
  pk: string;
}

/** While a thread is being deleted, only these hold. */
const OF_DELETED: RuleName[] = ["form", "due", "deleted"];

/** These look at fields whose meaning never changes: of a thread of a newer schema version, no more is known. */
const OF_NEWER: RuleName[] = ["due", "deleted", "lock"];

export function checkThread(thread: ThreadSnapshot, options: CheckOptions): Violation[] {
  const rules = rulesOf(thread);
  return rules.flatMap((rule) =>
    Array.from(findings(rule, thread, options), (finding) => ({ rule, pk: thread.pk, ...finding })),
  );
}

/** A rule that stumbles over a document must not end the check of all the others. */
function* findings(rule: RuleName, thread: ThreadSnapshot, options: CheckOptions): Iterable<Finding> {
  try {
    yield* RULES[rule](thread, options);
  } catch (error) {
    yield { id: thread.threadId, detail: `cannot be checked: ${error}` };
  }
}

function rulesOf({ isBeingDeleted, isNewer }: ThreadSnapshot): RuleName[] {
  if (isBeingDeleted) return OF_DELETED;
  return isNewer ? OF_NEWER : (Object.keys(RULES) as RuleName[]);
}
