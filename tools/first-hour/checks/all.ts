/** The checks in the order in which they are done: by their numbers. */
import type { Check } from "../check.ts";
import { accountChecks } from "./account.ts";
import { codeChecks } from "./code.ts";
import { contentChecks } from "./content.ts";
import { documentChecks } from "./documents.ts";
import { fileChecks } from "./files.ts";
import { httpChecks } from "./http.ts";
import { priceChecks } from "./prices.ts";
import { queueChecks } from "./queue.ts";
import { runChecks } from "./runs.ts";
import { troubleChecks } from "./trouble.ts";

export const CHECKS: Check[] = [
  ...accountChecks,
  ...documentChecks,
  ...priceChecks,
  ...contentChecks,
  ...queueChecks,
  ...runChecks,
  ...troubleChecks,
  ...httpChecks,
  ...codeChecks,
  ...fileChecks,
].toSorted((a, b) => a.number - b.number);
