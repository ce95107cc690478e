/** The words in which servers refuse a parameter, as public bug reports quote them. */
import type { Reply } from "./raw-model.ts";

interface Vocabulary {
  name: string;
  isMain?: true;
  body(parameter: string): unknown;
}

const openAi = (message: string, param: string | null, code: string | null) => ({
  error: { message, type: "invalid_request_error", param, code },
});

export const VOCABULARIES: Vocabulary[] = [
  {
    isMain: true,
    // Also fast-agent#279, inspect_ai#1023, llama_index#20865 and semantic-kernel#10365.
    name: "OpenAI's unsupported parameter (langchain#29704)",
    body: (name) =>
      openAi(`Unsupported parameter: '${name}' is not supported with this model.`, name, "unsupported_parameter"),
  },
  {
    name: "OpenAI's unsupported value, of which only the default is taken",
    body: (name) =>
      openAi(
        `Unsupported value: '${name}' does not support 0.5 with this model. Only the default (1) value is supported.`,
        name,
        "unsupported_value",
      ),
  },
  {
    isMain: true,
    name: "Mistral's validator (eca#231, llxprt-code#114, litellm#11696, hindsight#852, OpenOats#319)",
    body: (name) => ({
      object: "error",
      message: {
        detail: [{ type: "extra_forbidden", loc: ["body", name], msg: "Extra inputs are not permitted", input: 1 }],
      },
      type: "invalid_request_error",
      param: null,
      code: null,
    }),
  },
  {
    name: "Mistral's validator as a text (platform-docs-public#7)",
    body: (name) => ({
      object: "error",
      message: JSON.stringify({ detail: [{ type: "extra_forbidden", loc: ["body", name], msg: "Extra inputs" }] }),
      code: "1000",
    }),
  },
  { name: "words that only end with it", body: (name) => ({ detail: `Extra inputs are not permitted: ${name}` }) },
  {
    isMain: true,
    name: "Azure's unrecognized argument (azure-sdk-for-net#45719, openai-python#1469)",
    body: (name) => openAi(`Unrecognized request argument supplied: ${name}`, null, null),
  },
  {
    name: "Azure's unknown parameter (semantic-kernel#8189)",
    body: (name) => openAi(`Unknown parameter: '${name}'.`, name, "unknown_parameter"),
  },
  { name: "an error that is a text", body: (name) => ({ error: `property '${name}' is unsupported` }) },
];

export const refusal = (status: number, body: unknown): Reply => ({
  status,
  headers: { "content-type": "application/json" },
  body: JSON.stringify(body),
});
