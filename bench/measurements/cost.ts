import type { Measurement } from "../lib/measurement.ts";
export const cost: Measurement = {
  name: "cost",
  title: "",
  worksRemotely: false,
  measure: async () => ({ tables: [], goals: [], figures: [], notes: [] }),
};
