import type { Measurement } from "../lib/measurement.ts";
export const coldStart: Measurement = {
  name: "cold-start",
  title: "",
  worksRemotely: false,
  measure: async () => ({ tables: [], goals: [], figures: [], notes: [] }),
};
