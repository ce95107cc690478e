/** `npm run docs`: writes the generated part of compatibility.md. */
import { readFileSync, writeFileSync } from "node:fs";
import { compatibilityPage, PAGE } from "./compatibility.ts";

writeFileSync(PAGE, compatibilityPage(readFileSync(PAGE, "utf8")));
