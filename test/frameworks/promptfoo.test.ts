import { mkdtempSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import OpenAI from "openai";
import { describe, expect, test } from "vitest";
import {
  EMPTY_ARGUMENTS,
  FAILURE,
  GET_TIME,
  GET_WEATHER,
  modelThatSays,
  outputsRead,
  PARALLEL,
  tenantOf,
} from "./framework.ts";

process.env.PROMPTFOO_CONFIG_DIR = mkdtempSync(path.join(tmpdir(), "promptfoo-"));
process.env.PROMPTFOO_DISABLE_TELEMETRY = "1";
process.env.PROMPTFOO_DISABLE_UPDATE = "1";
process.env.PROMPTFOO_CACHE_ENABLED = "false";
const { loadApiProvider } = await import("promptfoo");

const tools = [GET_WEATHER, GET_TIME];
const functionToolCallbacks = {
  // One of the two providers hands over the text, the other what it says.
  get_weather: "async (given) => 'sunny in ' + (typeof given === 'string' ? JSON.parse(given) : given).city",
  get_time: "async () => 'noon'",
};

describe.each(["openai", "azure"] as const)("the %s assistant provider", (kind) => {
  async function ask(model: string, assistant?: string) {
    const { apiKey, baseURL, origin } = tenantOf("promptfoo");
    const id = assistant ?? (await new OpenAI({ apiKey, baseURL }).beta.assistants.create({ model, tools })).id;
    const config = {
      apiKey,
      functionToolCallbacks,
      ...(kind === "azure"
        ? { apiBaseUrl: origin, apiVersion: "2024-08-01-preview", retryOptions: { maxRetries: 1 } }
        : { apiBaseUrl: baseURL }),
    };
    const provider = await loadApiProvider(`${kind}:assistant:${id}`, { options: { config } });
    return provider.callApi("How is it?");
  }

  test("gets text", async () => {
    const { output, error } = await ask(await modelThatSays({ text: "Hello there." }));
    expect(error).toBeUndefined();
    expect(output).toContain("Hello there.");
  });

  test.each([
    ["parallel calls", PARALLEL, ["sunny in Oslo", "sunny in Rome"]],
    ["a call with empty arguments", EMPTY_ARGUMENTS, ["noon"]],
  ])("answers %s", async (_what, turn, outputs) => {
    const model = await modelThatSays(turn, { text: "Done." });
    expect((await ask(model)).output).toContain("Done.");
    expect(await outputsRead(model)).toEqual(outputs);
  });

  test("tells of a run that fails, with the model's words", async () => {
    const { output, error } = await ask(await modelThatSays(FAILURE));
    expect(`${output ?? ""} ${error ?? ""}`).toContain("This model cannot do that.");
  });

  test("tells of an assistant that does not exist", async () => {
    expect((await ask("any", "asst_none")).error).toContain("No assistant found with id 'asst_none'.");
  });
});
