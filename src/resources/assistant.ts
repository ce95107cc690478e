/** Assistants: a model, instructions and tools under an id (docs/contract.md 2.1, 2.2). */
import { z } from "zod";
import {
  deletedObject,
  instructions,
  metadata,
  metadataObject,
  model,
  reasoningEffort,
  responseFormat,
  responseFormatObject,
  type ToolResources,
  temperature,
  time,
  toolObject,
  toolResources,
  toolResourcesObject,
  tools,
  topP,
} from "./common.ts";
import { newToolResources } from "./tool-resources.ts";

const fields = {
  name: z.string().max(256).nullable(),
  description: z.string().max(512).nullable(),
  instructions: instructions.nullable(),
  tools,
  tool_resources: toolResources,
  metadata,
  temperature: temperature.nullable(),
  top_p: topP.nullable(),
  reasoning_effort: reasoningEffort.nullable(),
  response_format: responseFormat,
};

export const createAssistantRequest = z.strictObject({
  model,
  ...z.strictObject(fields).partial().shape,
  tool_resources: newToolResources.optional(),
});
export type CreateAssistantRequest = z.output<typeof createAssistantRequest>;

/** What is absent stays as it is; `tools` and `metadata` are replaced whole. */
export const modifyAssistantRequest = z.strictObject({ model, ...fields }).partial();
export type ModifyAssistantRequest = z.output<typeof modifyAssistantRequest>;

export const assistantObject = z.strictObject({
  id: z.string(),
  object: z.literal("assistant"),
  created_at: time,
  name: z.string().nullable(),
  description: z.string().nullable(),
  model: z.string(),
  instructions: z.string().nullable(),
  tools: z.array(toolObject),
  top_p: z.number(),
  temperature: z.number(),
  reasoning_effort: z.string().nullable(),
  tool_resources: toolResourcesObject,
  metadata: metadataObject,
  response_format: responseFormatObject,
});
export type Assistant = z.output<typeof assistantObject>;

export const deletedAssistantObject = deletedObject("assistant.deleted");

/** `createdAt` in seconds. */
export function newAssistant(
  request: Omit<CreateAssistantRequest, "tool_resources">,
  id: string,
  createdAt: number,
  resources: ToolResources = {},
): Assistant {
  const assistant: Assistant = {
    id,
    object: "assistant",
    created_at: createdAt,
    name: request.name ?? null,
    description: request.description ?? null,
    model: request.model,
    instructions: request.instructions ?? null,
    tools: request.tools ?? [],
    top_p: request.top_p ?? 1,
    temperature: request.temperature ?? 1,
    reasoning_effort: request.reasoning_effort ?? null,
    tool_resources: resources,
    metadata: request.metadata ?? {},
    response_format: request.response_format ?? "auto",
  };
  return withToolResources(assistant);
}

export function modifiedAssistant(assistant: Assistant, request: ModifyAssistantRequest): Assistant {
  const given = Object.fromEntries(Object.entries(request).filter(([, value]) => value !== undefined));
  const changed: Assistant = { ...assistant, ...given };
  return withToolResources({
    ...changed,
    top_p: changed.top_p ?? 1,
    temperature: changed.temperature ?? 1,
    response_format: changed.response_format ?? "auto",
  });
}

/** An assistant with the code interpreter shows its list of files, also when that is empty (docs/contract.md 2.2). */
function withToolResources(assistant: Assistant): Assistant {
  const usesCode = assistant.tools.some((tool) => tool.type === "code_interpreter");
  if (!usesCode || assistant.tool_resources.code_interpreter) return assistant;
  return { ...assistant, tool_resources: { ...assistant.tool_resources, code_interpreter: { file_ids: [] } } };
}
