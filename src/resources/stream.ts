/** The events of a run's stream: their names, and what each carries (docs/contract.md 4). */
import { z } from "zod";
import { serviceError } from "./errors.ts";
import { annotationDeltaObject, messageObject } from "./message.ts";
import { runObject } from "./run.ts";
import { codeOutputObject, fileSearchCallObject, runStepObject } from "./step.ts";
import { threadObject } from "./thread.ts";

/** A piece of a message. Clients add the pieces up by `index`. */
export const messageDeltaObject = z.strictObject({
  id: z.string(),
  object: z.literal("thread.message.delta"),
  delta: z.strictObject({
    content: z.array(
      z.discriminatedUnion("type", [
        z.strictObject({
          index: z.int(),
          type: z.literal("text"),
          text: z.strictObject({ value: z.string(), annotations: z.array(annotationDeltaObject).optional() }),
        }),
        z.strictObject({
          index: z.int(),
          type: z.literal("image_file"),
          image_file: z.strictObject({ file_id: z.string() }),
        }),
      ]),
    ),
  }),
});

const [logsObject, imageObject] = codeOutputObject.options;

/**
 * A piece of a function call or of code: what clients would otherwise add up twice (id, name, an output) comes once. A
 * search comes whole.
 */
export const runStepDeltaObject = z.strictObject({
  id: z.string(),
  object: z.literal("thread.run.step.delta"),
  delta: z.strictObject({
    step_details: z.strictObject({
      type: z.literal("tool_calls"),
      tool_calls: z.array(
        z.discriminatedUnion("type", [
          z.strictObject({
            index: z.int(),
            id: z.string().optional(),
            type: z.literal("function"),
            function: z.strictObject({
              name: z.string().optional(),
              arguments: z.string(),
              output: z.null().optional(),
            }),
          }),
          z.strictObject({
            index: z.int(),
            id: z.string().optional(),
            type: z.literal("code_interpreter"),
            code_interpreter: z.strictObject({
              input: z.string().optional(),
              outputs: z
                .array(
                  z.discriminatedUnion("type", [
                    logsObject.extend({ index: z.int() }),
                    imageObject.extend({ index: z.int() }),
                  ]),
                )
                .optional(),
            }),
          }),
          fileSearchCallObject.extend({
            index: z.int(),
            file_search: fileSearchCallObject.shape.file_search.extend({
              results: z.array(z.never()).describe("Always empty: the step has them when it is completed"),
            }),
          }),
        ]),
      ),
    }),
  }),
});

/** An object's events are called after its statuses, and each carries the whole object. */
const events = <Data extends z.ZodType>(prefix: string, endings: readonly string[], data: Data) =>
  z.strictObject({ event: z.enum(endings.map((ending) => `${prefix}.${ending}`)), data });

export const streamEventObject = z.discriminatedUnion("event", [
  events("thread", ["created"], threadObject),
  events("thread.run", ["created", ...runObject.shape.status.options], runObject),
  events("thread.run.step", ["created", ...runStepObject.shape.status.options], runStepObject),
  events("thread.run.step", ["delta"], runStepDeltaObject),
  events("thread.message", ["created", ...messageObject.shape.status.options], messageObject),
  events("thread.message", ["delta"], messageDeltaObject),
  z.strictObject({ event: z.literal("error"), data: serviceError.extend(serviceError.shape.error.shape) }),
  z.strictObject({ event: z.literal("done"), data: z.literal("[DONE]") }),
]);

export const streamEventNames: string[] = streamEventObject.options.flatMap(({ shape: { event } }) =>
  "options" in event ? event.options : event.value,
);
