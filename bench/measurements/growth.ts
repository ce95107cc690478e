import type { Measurement } from "../lib/measurement.ts";
export const growth: Measurement = {
  name: "growth",
  title: "",
  worksRemotely: false,
  measure: async () => ({ tables: [], goals: [], figures: [], notes: [] }),
};
