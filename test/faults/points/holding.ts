/** Brings many runs to their points at once: the local servers hold one request of each. */
import type OpenAI from "openai";
import { expect } from "vitest";
import type { FaultReport, FaultRule as StoreFault } from "../../../local/cosmos/faults.ts";
import type { FaultRule as QueueFault } from "../../../local/service-bus/faults.ts";
import type { Stack } from "../../../local/stack.ts";
import { until } from "../../e2e/harness.ts";
import { putFaults } from "../inject.ts";
import type { Scene } from "./scene.ts";

/** Starts the runs and resolves when the servers hold something of each. */
export async function bringToTheirPoints(stack: Stack, client: OpenAI, scenes: Scene[]): Promise<void> {
  const { cosmos, serviceBus } = stack;
  const storeRules = scenes.map(({ point, threadId }): StoreFault => {
    const { containing = [], ...held } = point.held;
    return { ...held, containing: [threadId, ...containing], times: 1 };
  });
  const queueRules = scenes
    .filter(({ point }) => point.holdsWakeUp)
    .map(({ threadId }): QueueFault => ({ fault: "hold", rate: 1, containing: threadId }));
  await Promise.all([putFaults(cosmos.endpoint, storeRules), putFaults(serviceBus.controlUrl, queueRules)]);
  // The queue's client gives up after a few seconds: those come last.
  const [early, late] = [
    scenes.filter(({ point }) => !point.holdsWakeUp),
    scenes.filter(({ point }) => point.holdsWakeUp),
  ];
  for (const wave of [early, late]) {
    for (const scene of wave) scene.begin(client).catch(() => undefined);
    await until(async () => {
      const held = (await faultsOf(cosmos.endpoint)) as FaultReport[];
      return wave.every((scene) => held[scenes.indexOf(scene)]?.held === 1);
    }, 15_000);
  }
  expect(await faultsOf(serviceBus.controlUrl)).toMatchObject(queueRules.map(() => ({ struck: 1 })));
}

/** The servers answer what they hold; what they hold for a dead client is forgotten. */
export async function letGo({ cosmos, serviceBus }: Stack): Promise<void> {
  await Promise.all([putFaults(cosmos.endpoint, []), putFaults(serviceBus.controlUrl, [])]);
}

/** Once the servers know that their client is dead: before, they would still do what they hold for it. */
export async function release(stack: Stack): Promise<void> {
  const { cosmos } = stack;
  await until(async () => ((await faultsOf(cosmos.endpoint)) as FaultReport[]).every(({ held }) => held === 0));
  await letGo(stack);
}

const faultsOf = async (base: string) => (await fetch(new URL("/_local/faults", base))).json();
