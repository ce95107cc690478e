import { expect, test } from "vitest";
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

// It makes its client when it is loaded, from these settings.
const { baseURL, apiKey } = tenantOf("experts");
process.env.OPENAI_BASE_URL = baseURL;
process.env.OPENAI_API_KEY = apiKey;
const { Assistant, Thread, Tool } = await import("experts");

test("an assistant is asked, and found again by its id", async () => {
  const model = await modelThatSays({ text: "Hello there." }, { text: "Hello again." });
  const assistant = await Assistant.create({ name: "A", model });
  const thread = await Thread.create();
  expect(await assistant.ask("Hi", thread.id)).toBe("Hello there.");
  const again = await Assistant.create({ id: assistant.id, name: "A", model });
  expect(again.id).toBe(assistant.id);
  expect(await again.ask("Hi", thread.id)).toBe("Hello again.");
});

test.each([
  ["parallel calls", PARALLEL, ["sunny in Oslo", "sunny in Rome"]],
  ["a call with empty arguments", EMPTY_ARGUMENTS, ["noon"]],
])("a tool without a model answers %s", async (_what, turn, outputs) => {
  class Weather extends Tool {
    constructor() {
      super({ name: "Weather", llm: false, parentsTools: [GET_WEATHER, GET_TIME] });
    }
    override async ask(text: string): Promise<string> {
      const { city } = JSON.parse(text);
      return city === undefined ? "noon" : `sunny in ${city}`;
    }
  }
  class Main extends Assistant {
    constructor(model: string) {
      super({ name: "Main", model });
      this.addAssistantTool(Weather);
    }
  }
  const model = await modelThatSays(turn, { text: "Done." });
  const assistant = new Main(model);
  await assistant.init();
  const thread = await Thread.create();
  expect(await assistant.ask("How is it?", thread.id)).toBe("Done.");
  expect(await outputsRead(model)).toEqual(outputs);
});

test("a tool with a model of its own has a thread of its own", async () => {
  const [mainModel, toolModel] = await Promise.all([
    modelThatSays(
      { toolCalls: [{ id: "call_1", name: "get_weather", arguments: { city: "Oslo" } }] },
      { text: "It is sunny." },
    ),
    modelThatSays({ text: "Sunny, says the expert." }),
  ]);
  class Expert extends Tool {
    constructor() {
      super({ name: "Expert", model: toolModel, parentsTools: [GET_WEATHER] });
    }
  }
  class Main extends Assistant {
    constructor() {
      super({ name: "Main", model: mainModel });
      this.addAssistantTool(Expert);
    }
  }
  const assistant = new Main();
  await assistant.init();
  const thread = await Thread.create();
  expect(await assistant.ask("How is Oslo?", thread.id)).toBe("It is sunny.");
  expect(await outputsRead(mainModel)).toEqual(["Sunny, says the expert."]);
});

test("a run that fails ends the question, and the next one is answered", async () => {
  const model = await modelThatSays(FAILURE, { text: "Hello." });
  const assistant = await Assistant.create({ name: "A", model });
  const thread = await Thread.create();
  await assistant.ask("Hi", thread.id).catch(() => undefined);
  expect(await assistant.ask("Hi", thread.id)).toBe("Hello.");
});
