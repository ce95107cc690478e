import {
  AlwaysOnSampler,
  BasicTracerProvider,
  InMemorySpanExporter,
  ParentBasedSampler,
  SimpleSpanProcessor,
} from "@opentelemetry/sdk-trace-base";
import { expect, test } from "vitest";
import { OtelRecorder } from "../../../src/telemetry/recorder.ts";

const UNRECORDED = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-00";

test.each([
  ["the app's own choice not to record is followed", true, "00", []],
  ["that a caller does not record is no choice of the app's", false, "01", ["below", "first"]],
])("%s", async (_, isParentOwn, flags, told) => {
  const exporter = new InMemorySpanExporter();
  const always = new AlwaysOnSampler();
  const tracers = new BasicTracerProvider({
    sampler: new ParentBasedSampler({ root: always, remoteParentNotSampled: always }),
    spanProcessors: [new SimpleSpanProcessor(exporter)],
  });
  const recorder = new OtelRecorder(tracers.getTracer("test"));
  const attributes = {};
  const first = { name: "first", kind: "consumer" as const, attributes, parent: UNRECORDED, isParentOwn };
  const below = { name: "below", kind: "client" as const, attributes };
  const passedOn = await recorder.inSpan(first, () => recorder.inSpan(below, async ({ traceparent }) => traceparent));
  expect(passedOn).toMatch(new RegExp(`^00-0af7651916cd43dd8448eb211c80319c-[0-9a-f]{16}-${flags}$`));
  await tracers.forceFlush();
  expect(exporter.getFinishedSpans().map(({ name }) => name)).toEqual(told);
});
