import type { Measurement } from "../lib/measurement.ts";
export const streams: Measurement = {
  name: "streams",
  title: "",
  worksRemotely: false,
  measure: async () => ({ tables: [], goals: [], figures: [], notes: [] }),
};
