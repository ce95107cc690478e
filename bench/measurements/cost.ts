/**
 * What a run costs on an account of each consistency: Cosmos DB requests and request units, Service Bus messages, bytes
 * kept, dollars; and what a deployment costs that has nothing to do.
 */
import { type Consistency, costsOn, type Scale } from "../cost/account.ts";
import { goalsFor } from "../cost/goals.ts";
import { idleTable } from "../cost/idle.ts";
import { creditsTable, dollarsTable, listing, needsTable, notesFor, waitingTable } from "../cost/tables.ts";
import type { Bench, Measurement, Outcome } from "../lib/measurement.ts";

const USUAL: Scale = { answer: { tokens: 500, tokenMs: 20 }, leaseSeconds: 20 };
const QUICK: Scale = { answer: { tokens: 100, tokenMs: 20 }, leaseSeconds: 4 };

export const cost: Measurement = {
  name: "cost",
  title: "Cost",
  worksRemotely: false,
  measure,
};

async function measure(bench: Bench): Promise<Outcome> {
  const scale = bench.quick ? QUICK : USUAL;
  const costs = (consistency: Consistency) => costsOn(bench, consistency, scale);
  // One after the other, as two busy apps would delay each other's looks; a quick try may be off by one.
  const [strong, session] = bench.quick
    ? await Promise.all([costs("Strong"), costs("Session")])
    : [await costs("Strong"), await costs("Session")];
  const { simple, withTool } = strong.runs;
  return {
    tables: [
      needsTable(strong.runs, session.runs),
      dollarsTable(strong.runs, session.runs),
      waitingTable(strong.waiting, session.waiting),
      idleTable(strong.waiting.tick),
      creditsTable(strong.runs),
      listing(simple),
      listing(withTool),
    ],
    goals: goalsFor(strong.runs),
    figures: [],
    notes: notesFor(),
  };
}
