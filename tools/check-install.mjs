// Runs before everything that needs the whole installation, and says in a line what is missing. Plain JavaScript of the
// oldest kind that npm itself runs on: with an old Node, nothing in TypeScript gets as far as saying anything.

import { existsSync } from "node:fs";
import { fileURLToPath } from "node:url";

const isInstalled = (name) => existsSync(fileURLToPath(new URL(`../node_modules/${name}`, import.meta.url)));

function problem() {
  if (!isInstalled("zod")) return "Nothing is installed yet. Run: npm install";
  if (!isInstalled("typescript")) {
    return (
      "The development dependencies are not installed: NODE_ENV=production or omit=dev keeps npm from it.\n" +
      "Run: npm install --include=dev"
    );
  }
  if (!process.features.typescript) {
    return (
      `This is Node ${process.versions.node}; 22.18 or newer is needed. The package "node" brings one, but its ` +
      "install script has not run (ignore-scripts?).\nRun: npm rebuild node --ignore-scripts=false"
    );
  }
  return undefined;
}

const found = problem();
if (found !== undefined) {
  console.error(found);
  process.exitCode = 1;
}
