/** What the servers of a campaign do wrong, and the share of their requests that it strikes. */
import type { FaultRule as CodeFault } from "../../../local/code-sessions/faults.ts";
import type { FaultOperation, FaultRule as StoreFault } from "../../../local/cosmos/fault-rules.ts";
import type { FaultRule as QueueFault } from "../../../local/service-bus/faults.ts";

const WRITES: FaultOperation[] = ["create", "replace", "patch", "batch", "delete", "upsert"];

/** Each kind of trouble that passes: docs/operations.md has them all. */
export const STORE_FAULTS: StoreFault[] = [
  { fault: "cut-before", rate: 0.01 },
  { fault: "cut-after", rate: 0.015 },
  { fault: "hang", rate: 0.0005 },
  { fault: "503", rate: 0.01 },
  { fault: "503", rate: 0.003, when: "after" },
  { fault: "429", rate: 0.02, ms: 20 },
  { fault: "449", rate: 0.01 },
  { fault: "410", rate: 0.003 },
  { fault: "404-1002", rate: 0.003, operations: ["read", "query"] },
  { fault: "403-3", rate: 0.002, operations: WRITES },
  { fault: "408", rate: 0.003 },
  { fault: "500", rate: 0.003, when: "after" },
  { fault: "502-html", rate: 0.003 },
  { fault: "504", rate: 0.002, when: "after" },
  { fault: "empty-body", rate: 0.002, when: "after" },
  { fault: "449-in-batch", rate: 0.01 },
  { fault: "410-in-batch", rate: 0.003 },
  { fault: "429-in-batch", rate: 0.005 },
  { fault: "500-in-batch", rate: 0.002 },
  { fault: "empty-page", rate: 0.1 },
  { fault: "short-page", rate: 0.1, items: 3 },
  { fault: "latency", rate: 0.03, ms: 300 },
];

export const QUEUE_FAULTS: QueueFault[] = [
  { fault: "double", rate: 0.15 },
  { fault: "delay", rate: 0.15, ms: 1_500 },
  { fault: "expire-lock", rate: 0.08, ms: 300 },
  { fault: "send-error", rate: 0.03 },
  { fault: "server-busy", rate: 0.005 },
  // Each takes the locks of all messages of a connection, and a delivery of each of them: at higher rates, wake-ups use up
  // their ten deliveries in seconds, which no connection of the service does.
  { fault: "cut", rate: 0.001 },
  { fault: "close", rate: 0.0005 },
  { fault: "detach", rate: 0.0005 },
];

/** Trouble of the sessions' server that passes. */
export const CODE_FAULTS: CodeFault[] = [
  { fault: "404", rate: 0.02 },
  { fault: "429", rate: 0.03, ms: 300 },
  { fault: "500", rate: 0.02 },
  { fault: "500", rate: 0.02, when: "after" },
  { fault: "503", rate: 0.01 },
  { fault: "502-html", rate: 0.01 },
  { fault: "garbage", rate: 0.01 },
  { fault: "empty-body", rate: 0.005 },
  { fault: "cut-before", rate: 0.01 },
  { fault: "cut-after", rate: 0.02 },
  { fault: "latency", rate: 0.05, ms: 400 },
];
