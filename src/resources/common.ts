/** Shapes that several resources share: metadata, tools, sampling parameters (docs/contract.md 2.1). */
import { z } from "zod";
import { ID_PREFIXES, type IdKind } from "./ids.ts";

export const MAX_METADATA_KEY = 64;
const MAX_METADATA_PAIRS = 16;

/** A record of what a client sends. zod leaves a property `__proto__` out without a word: it is refused instead. */
export function recordOf<Value extends z.ZodType>(value: Value, key = z.string()) {
  return z.preprocess(withoutProto, z.record(key, value));
}

function withoutProto(value: unknown, context: z.RefinementCtx): unknown {
  if (value instanceof Object && Object.hasOwn(value, "__proto__")) {
    context.addIssue({ code: "custom", params: { kind: "reserved_name", name: "__proto__" }, input: value });
  }
  return value;
}

/** Up to 16 pairs of short strings; `null` means none. */
export const metadata = z
  .preprocess(atMostProperties(MAX_METADATA_PAIRS), recordOf(z.string().max(512), z.string().max(MAX_METADATA_KEY)))
  // A rule of our own that zod cannot put into a JSON schema: documents about the API get it from here.
  .meta({ maxProperties: MAX_METADATA_PAIRS })
  .nullable()
  .transform((value) => value ?? {});

export const metadataObject = z.record(z.string(), z.string());
export type Metadata = z.output<typeof metadataObject>;

function id(kind: IdKind) {
  const prefix = ID_PREFIXES[kind];
  const pattern = new RegExp(`^${prefix}[A-Za-z0-9_-]*$`);
  return z
    .string()
    .max(MAX_ID)
    .refine((value) => value.length > MAX_ID || pattern.test(value), { params: { kind: "not_an_id", prefix } })
    .meta({ pattern: pattern.source });
}

/** Ours have some 30 characters; imported ones may have others. Cosmos DB takes 1,023 bytes. */
const MAX_ID = 128;

const ids = new Map<IdKind, ReturnType<typeof id>>();

/** An id of one of our objects: clients rely on the prefix being checked (docs/contract.md 5). */
export function idOf(kind: IdKind) {
  const schema = ids.get(kind) ?? id(kind);
  ids.set(kind, schema);
  return schema;
}

/** Counted before the properties are checked. The validator of the API turns `params` into its own words. */
export function atMostProperties(maximum: number) {
  return (value: unknown, context: z.RefinementCtx) => {
    if (value instanceof Object && !Array.isArray(value) && Object.keys(value).length > maximum) {
      context.addIssue({ code: "custom", params: { kind: "too_many_properties", maximum }, input: value });
    }
    return value;
  };
}

/** Times on the wire are whole seconds since 1970. */
export const time = z.int().describe("Seconds since 1970");

const functionName = z
  .string()
  .max(64)
  .regex(/^[A-Za-z0-9_-]+$/);

const functionToolObject = z.strictObject({
  type: z.literal("function"),
  function: z.strictObject({
    name: functionName,
    description: z.string().optional(),
    parameters: z.record(z.string(), z.unknown()).describe("JSON schema of the arguments"),
    strict: z.boolean(),
  }),
});

export const rankingOptionsObject = z.strictObject({
  ranker: z.enum(["auto", "default_2024_08_21"]),
  score_threshold: z.number().min(0).max(1),
});

const fileSearchToolObject = z.strictObject({
  type: z.literal("file_search"),
  file_search: z.strictObject({
    max_num_results: z.int().min(1).max(50).optional(),
    ranking_options: rankingOptionsObject,
  }),
});

const codeInterpreterTool = z.strictObject({ type: z.literal("code_interpreter") });

export const toolObject = z.discriminatedUnion("type", [codeInterpreterTool, functionToolObject, fileSearchToolObject]);
export type Tool = z.output<typeof toolObject>;
export type FileSearchTool = z.output<typeof fileSearchToolObject>;

// A request may leave out what follows; the answers show it filled in (docs/contract.md 2.1).

const { function: describedFunction } = functionToolObject.shape;
const functionTool = functionToolObject.extend({
  function: describedFunction.extend({
    parameters: recordOf(z.unknown())
      .default(() => ({ type: "object", properties: {} }))
      .describe("JSON schema of the arguments"),
    strict: z
      .boolean()
      .nullable()
      .default(false)
      .transform((value) => value ?? false),
  }),
});

const defaultRanking = () => ({ ranker: "default_2024_08_21" as const, score_threshold: 0 });
const rankingOptions = rankingOptionsObject.extend({
  ranker: rankingOptionsObject.shape.ranker.default("default_2024_08_21"),
  score_threshold: rankingOptionsObject.shape.score_threshold.default(0),
});

const fileSearchTool = fileSearchToolObject.extend({
  file_search: fileSearchToolObject.shape.file_search
    .extend({ ranking_options: rankingOptions.default(defaultRanking) })
    .default(() => ({ ranking_options: defaultRanking() })),
});

export const tool = z.discriminatedUnion("type", [codeInterpreterTool, functionTool, fileSearchTool]);
export const tools = z.array(tool).max(128);

export const temperature = z.number().min(0).max(2);
export const topP = z.number().min(0).max(1);
export const instructions = z.string().max(256_000);
export const reasoningEffort = z.enum(["none", "minimal", "low", "medium", "high", "xhigh"]);
export const model = z.string().min(1).max(256);

/** `schema` is the kind of the JSON schema in it. */
const structuredFormat = <Schema extends z.ZodType>(schema: Schema) =>
  z.discriminatedUnion("type", [
    z.strictObject({ type: z.literal("text") }),
    z.strictObject({ type: z.literal("json_object") }),
    z.strictObject({
      type: z.literal("json_schema"),
      json_schema: z.strictObject({
        name: functionName,
        description: z.string().optional(),
        schema: schema.optional(),
        strict: z.boolean().nullable().optional(),
      }),
    }),
  ]);

/**
 * "none" stands in Azure's specification and means what "auto" means (docs/contract.md 9, row 22); null is "not given".
 */
export const responseFormat = z
  .union([z.enum(["auto", "none"]), structuredFormat(recordOf(z.unknown()))])
  .nullable()
  .transform((value) => (value === "none" ? "auto" : value));

export const responseFormatObject = z.union([z.literal("auto"), structuredFormat(z.record(z.string(), z.unknown()))]);
export type ResponseFormat = z.output<typeof responseFormatObject>;

/** Of files, vector stores and the like: the API's own have some 30 characters. */
export const MAX_FILE_ID = 256;

const fileIds = z.array(z.string().max(MAX_FILE_ID)).max(20);
const vectorStoreIds = z.array(z.string().max(MAX_FILE_ID)).max(1);

/** Which files the hosted tools may use. */
export const toolResourcesObject = z.strictObject({
  code_interpreter: z.strictObject({ file_ids: fileIds }).optional(),
  file_search: z.strictObject({ vector_store_ids: vectorStoreIds }).optional(),
});
export type ToolResources = z.output<typeof toolResourcesObject>;

export const toolResources = toolResourcesObject
  .extend({
    code_interpreter: z.strictObject({ file_ids: fileIds.default(() => []) }).optional(),
    file_search: z.strictObject({ vector_store_ids: vectorStoreIds.default(() => []) }).optional(),
  })
  .nullable()
  .transform((value): ToolResources => value ?? {});

export const usageObject = z.strictObject({
  prompt_tokens: z.int(),
  completion_tokens: z.int(),
  total_tokens: z.int(),
});
export type Usage = z.output<typeof usageObject>;

export const NO_USAGE: Usage = { prompt_tokens: 0, completion_tokens: 0, total_tokens: 0 };

export function addUsage(a: Usage, b: Usage): Usage {
  return {
    prompt_tokens: a.prompt_tokens + b.prompt_tokens,
    completion_tokens: a.completion_tokens + b.completion_tokens,
    total_tokens: a.total_tokens + b.total_tokens,
  };
}

/** The time of the wire. */
export const toSeconds = (milliseconds: number) => Math.floor(milliseconds / 1000);

/** One page of a list. */
export const listObject = <Item extends z.ZodType>(item: Item) =>
  z.strictObject({
    object: z.literal("list"),
    data: z.array(item),
    first_id: z.string().nullable(),
    last_id: z.string().nullable(),
    has_more: z.boolean(),
  });
export type List<T> = z.output<ReturnType<typeof listObject<z.ZodType<T>>>>;

export function listOf<T extends { id: string }>(data: T[], hasMore: boolean): List<T> {
  return {
    object: "list",
    data,
    first_id: data[0]?.id ?? null,
    last_id: data.at(-1)?.id ?? null,
    has_more: hasMore,
  };
}

/** What is left of an object that was deleted. */
export const deletedObject = <Name extends `${string}.deleted`>(name: Name) =>
  z.strictObject({ id: z.string(), object: z.literal(name), deleted: z.literal(true) });

export const deleted = <Name extends `${string}.deleted`>(id: string, object: Name) => ({
  id,
  object,
  deleted: true as const,
});
