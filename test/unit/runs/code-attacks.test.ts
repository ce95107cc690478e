/** Code, models and sessions that mean harm, or do it: what runs and threads keep all the same. */
import { afterAll, beforeAll, expect, test } from "vitest";
import { CodeWorld, codeCalls, python, stepsOf } from "./code-world.ts";
import { PNG, ran } from "./sandbox.ts";

let world: CodeWorld;
beforeAll(async () => {
  world = await CodeWorld.start();
});
afterAll(() => world.stop());

test("a file that is named as a figure's place does not take the figure's", async () => {
  const scene = await world.ask([python("draw"), { text: "sandbox:/mnt/data/image 0" }]);
  const { contents, blobs } = world.sandbox;
  contents.set("1.png", PNG).set("image 0", Buffer.from("no image"));
  world.sandbox.cell = () => ran("", { images: ["1.png"], files: [{ path: "image 0", size: 8 }] });
  const { run } = await world.work(scene);
  const [image, file] = world.sandbox.made;
  expect(file?.filename).toBe("image 0");
  expect(blobs.get(image?.id ?? "")).toEqual(PNG);
  expect(blobs.get(file?.id ?? "")).toEqual(Buffer.from("no image"));
  expect(codeCalls((await stepsOf(scene, run.id))[0])[0]?.code_interpreter.outputs).toEqual([
    { type: "image", image: { file_id: image?.id } },
  ]);
});
