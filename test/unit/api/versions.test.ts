import { expect, test } from "vitest";
import { isSupportedVersion } from "../../../src/api/versions.ts";

test.each([
  "2024-02-15-preview",
  "2024-03-01-preview",
  "2024-05-01-preview",
  "2024-05-01",
  "2024-08-01-preview",
  "2024-10-21",
  "2025-04-01-preview",
  "v1",
  "preview",
  "latest",
])("a client of version %s is served", (version) => {
  expect(isSupportedVersion(version)).toBe(true);
});

test.each([
  undefined,
  "",
  "2023-12-01-preview",
  "2024-02-01",
  "2024-8-1-preview",
  "2024-08-01-beta",
  "2024-08-01-preview ",
  "x2024-08-01-preview",
  "2024-08-01-preview\n",
  "20240801",
  "v2",
  "V1",
  "next",
])("a client of version %j is told that there is no such resource", (version) => {
  expect(isSupportedVersion(version)).toBe(false);
});
