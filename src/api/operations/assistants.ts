import {
  type Assistant,
  assistantObject,
  createAssistantRequest,
  deletedAssistantObject,
  modifiedAssistant,
  modifyAssistantRequest,
  newAssistant,
} from "../../resources/assistant.ts";
import { chosenAfter, chosenIn } from "../../resources/chosen.ts";
import { deleted, listObject, type ToolResources, toSeconds } from "../../resources/common.ts";
import { noAssistantFound, overloaded, updating } from "../../resources/errors.ts";
import { mintId, nextSeq } from "../../resources/ids.ts";
import { assertStorable } from "../../resources/limits.ts";
import { type AssistantDoc, apiObject, assistantSort, catalogKey, isNewer } from "../../store/documents.ts";
import type { Versioned } from "../../store/partition.ts";
import type { Store } from "../../store/store.ts";
import { assertResourcesExist, createdResources } from "../../stores/resources.ts";
import { operation } from "../operation.ts";
import { page, pageQuery } from "../paging.ts";

async function readAssistant(store: Store, tenant: string, id: string): Promise<Versioned<AssistantDoc>> {
  const assistant = await store.catalog(tenant).read<AssistantDoc>(id);
  if (assistant?.kind !== "assistant") throw noAssistantFound(id);
  return assistant;
}

/** The assistant, for changing or running it; throws 404, or 503 if only a newer build understands it. */
export async function readAssistantToUse(store: Store, tenant: string, id: string): Promise<Versioned<AssistantDoc>> {
  const assistant = await readAssistant(store, tenant, id);
  if (isNewer(assistant)) throw updating(1);
  return assistant;
}

const createAssistant = operation({
  name: "createAssistant",
  summary: "Create an assistant",
  method: "POST",
  path: "assistants",
  body: createAssistantRequest,
  response: assistantObject,
  handler: async ({ app, tenant, body, now }) => {
    const seq = nextSeq(now);
    const id = mintId("assistant", seq);
    const docWith = (resources: ToolResources): AssistantDoc => ({
      ...newAssistant(body, id, toSeconds(now), resources),
      pk: catalogKey(tenant),
      kind: "assistant",
      internal: { sort: assistantSort(seq), chosen: chosenIn(body) },
    });
    // An assistant that is refused must not leave a store behind.
    assertStorable(docWith({}), null);
    const doc = docWith(await createdResources(app, tenant, body.tool_resources ?? {}));
    await app.store.catalog(tenant).create(doc);
    return apiObject(doc);
  },
});

const listAssistants = operation({
  name: "listAssistants",
  summary: "List assistants",
  method: "GET",
  path: "assistants",
  query: pageQuery,
  response: listObject(assistantObject),
  handler: ({ app, tenant, query, now }) =>
    page<AssistantDoc>({ partition: app.store.catalog(tenant), sort: assistantSort }, query, now),
});

const getAssistant = operation({
  name: "getAssistant",
  summary: "Retrieve an assistant",
  method: "GET",
  path: "assistants/{assistant_id}",
  response: assistantObject,
  handler: async ({ app, tenant, params }) => apiObject(await readAssistant(app.store, tenant, params.assistant_id)),
});

/** Edits that cross each other: both hold, the later one on top. */
const EDIT_ATTEMPTS = 5;

const modifyAssistant = operation({
  name: "modifyAssistant",
  summary: "Modify an assistant",
  method: "POST",
  path: "assistants/{assistant_id}",
  body: modifyAssistantRequest,
  response: assistantObject,
  handler: async ({ app, tenant, params, body }) => {
    await assertResourcesExist(app, tenant, body.tool_resources ?? {});
    for (let attempt = 0; attempt < EDIT_ATTEMPTS; attempt++) {
      const stored = await readAssistantToUse(app.store, tenant, params.assistant_id);
      const assistant: Assistant = modifiedAssistant(apiObject(stored), body);
      const internal = { ...stored.internal, chosen: chosenAfter(stored.internal.chosen, body) };
      const next: AssistantDoc = { ...stored, ...assistant, internal };
      assertStorable(next, null);
      const result = await app.store.catalog(tenant).batch([{ put: next, ifMatch: stored._etag }]);
      if (result.ok) return assistant;
    }
    throw overloaded(1);
  },
});

const deleteAssistant = operation({
  name: "deleteAssistant",
  summary: "Delete an assistant",
  method: "DELETE",
  path: "assistants/{assistant_id}",
  response: deletedAssistantObject,
  handler: async ({ app, tenant, params: { assistant_id: id } }) => {
    if (!(await app.store.catalog(tenant).delete(id))) throw noAssistantFound(id);
    return deleted(id, "assistant.deleted");
  },
});

export const assistantOperations = [createAssistant, listAssistants, getAssistant, modifyAssistant, deleteAssistant];
