/** Shapes that several resources share: metadata, tools, sampling parameters (contract 2.1). */
import { z } from "zod";
import { ID_PREFIXES, type IdKind } from "./ids.ts";

export const MAX_METADATA_KEY = 64;

/** Up to 16 pairs of short strings; `null` means none. */
export const metadata = z
  .record(z.string().max(MAX_METADATA_KEY), z.string().max(512))
  .refine(...atMostProperties(16))
  .nullable()
  .transform((value) => value ?? {});

/** An id of one of our objects: clients rely on the prefix being checked (contract section 5). */
export const idOf = (kind: IdKind) =>
  z.string().refine((value) => new RegExp(`^${ID_PREFIXES[kind]}[A-Za-z0-9_-]*$`).test(value), {
    params: { kind: "not_an_id", prefix: ID_PREFIXES[kind] },
  });

export type Metadata = Record<string, string>;

/** The validator of the API turns `params` into its own words (see api/validation.ts). */
function atMostProperties(maximum: number) {
  return [
    (value: object) => Object.keys(value).length <= maximum,
    { params: { kind: "too_many_properties", maximum } },
  ] as const;
}

const functionTool = z.strictObject({
  type: z.literal("function"),
  function: z.strictObject({
    name: z
      .string()
      .max(64)
      .regex(/^[A-Za-z0-9_-]+$/),
    description: z.string().optional(),
    parameters: z.record(z.string(), z.unknown()).default(() => ({ type: "object", properties: {} })),
    strict: z
      .boolean()
      .nullable()
      .default(false)
      .transform((value) => value ?? false),
  }),
});

const rankingOptions = z.strictObject({
  ranker: z.enum(["auto", "default_2024_08_21"]).default("default_2024_08_21"),
  score_threshold: z.number().min(0).max(1).default(0),
});

const fileSearchTool = z.strictObject({
  type: z.literal("file_search"),
  file_search: z
    .strictObject({
      max_num_results: z.int().min(1).max(50).optional(),
      ranking_options: rankingOptions.default(() => ({ ranker: "default_2024_08_21" as const, score_threshold: 0 })),
    })
    .default(() => ({ ranking_options: { ranker: "default_2024_08_21" as const, score_threshold: 0 } })),
});

const codeInterpreterTool = z.strictObject({ type: z.literal("code_interpreter") });

export const tool = z.discriminatedUnion("type", [codeInterpreterTool, functionTool, fileSearchTool]);
export type Tool = z.output<typeof tool>;
export const tools = z.array(tool).max(128);

export const temperature = z.number().min(0).max(2);
export const topP = z.number().min(0).max(1);
export const instructions = z.string().max(256_000);
export const reasoningEffort = z.enum(["none", "minimal", "low", "medium", "high", "xhigh"]);
export const model = z.string().min(1).max(256);

const responseFormatObject = z.discriminatedUnion("type", [
  z.strictObject({ type: z.literal("text") }),
  z.strictObject({ type: z.literal("json_object") }),
  z.strictObject({
    type: z.literal("json_schema"),
    json_schema: z.strictObject({
      name: z
        .string()
        .max(64)
        .regex(/^[A-Za-z0-9_-]+$/),
      description: z.string().optional(),
      schema: z.record(z.string(), z.unknown()).optional(),
      strict: z.boolean().nullable().optional(),
    }),
  }),
]);

/** "none" stands in Azure's specification and means what "auto" means (contract 9, row 22). */
export const responseFormat = z
  .union([z.enum(["auto", "none"]), responseFormatObject])
  .nullable()
  .transform((value) => (value === null || value === "none" ? "auto" : value));
export type ResponseFormat = z.output<typeof responseFormat>;

const fileIds = z.array(z.string()).max(20);

/** Which files the hosted tools may use. */
export const toolResources = z
  .strictObject({
    code_interpreter: z.strictObject({ file_ids: fileIds.default(() => []) }).optional(),
    file_search: z.strictObject({ vector_store_ids: z.array(z.string()).max(1).optional() }).optional(),
  })
  .nullable()
  .transform((value) => value ?? {});
export type ToolResources = z.output<typeof toolResources>;

export interface Usage {
  prompt_tokens: number;
  completion_tokens: number;
  total_tokens: number;
}

export const NO_USAGE: Usage = { prompt_tokens: 0, completion_tokens: 0, total_tokens: 0 };

export function addUsage(a: Usage, b: Usage): Usage {
  return {
    prompt_tokens: a.prompt_tokens + b.prompt_tokens,
    completion_tokens: a.completion_tokens + b.completion_tokens,
    total_tokens: a.total_tokens + b.total_tokens,
  };
}

/** Times on the wire are whole seconds since 1970. */
export const toSeconds = (milliseconds: number) => Math.floor(milliseconds / 1000);

export interface List<T> {
  object: "list";
  data: T[];
  first_id: string | null;
  last_id: string | null;
  has_more: boolean;
}

export function listOf<T extends { id: string }>(data: T[], hasMore: boolean): List<T> {
  return {
    object: "list",
    data,
    first_id: data[0]?.id ?? null,
    last_id: data.at(-1)?.id ?? null,
    has_more: hasMore,
  };
}
