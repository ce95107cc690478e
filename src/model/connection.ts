/** Calls of the model that the settings name, and how its answers are read. Loaded for the first run. */
import { APIError } from "openai";
import type { Config } from "../config.ts";
import type { Log } from "../log.ts";
import { readAnswer } from "./chunks.ts";
import { Parameters, type Refusal, type SentRequest } from "./parameters.ts";
import { type AnswerPiece, isFields } from "./pieces.ts";
import { clientFor } from "./sdk-client.ts";
import type { ModelRequest } from "./types.ts";
import { wellFormed } from "./well-formed.ts";

/** Resolves when the answer begins; rejects with the SDK's errors. */
export type StreamedCall = (request: ModelRequest, signal: AbortSignal) => Promise<AsyncGenerator<AnswerPiece>>;

/**
 * A call that names an optional parameter which the endpoint refuses is made again without it, and later ones never
 * have it (parameters.ts): each parameter costs one refusal.
 */
export async function connect(config: Config, log: Log): Promise<StreamedCall> {
  const { completions } = (await clientFor({ ...config.model, timeout: config.model.firstTokenTimeout }, config)).chat;
  const parameters = new Parameters(config.model.without);
  return async (request, signal) => {
    const streamed: SentRequest = { ...wellFormed(request), stream: true, stream_options: { include_usage: true } };
    for (;;) {
      const sent = parameters.fitting(streamed);
      try {
        return readAnswer(await completions.create(sent, { signal }).asResponse());
      } catch (error) {
        const refused = parameters.learn(refusalOf(error), sent);
        if (refused.length === 0) throw error;
        log.warn("the model's endpoint refuses parameters; they are left out from now on", {
          model: request.model,
          parameters: refused,
        });
      }
    }
  };
}

/** Of an error that the SDK made of a body as error-body.ts writes it. */
function refusalOf(error: unknown): Refusal {
  if (!(error instanceof APIError)) return { status: undefined, code: "", message: "", places: [] };
  const body: unknown = error.error;
  const { message, places } = isFields(body) ? body : {};
  return {
    status: error.status,
    code: `${error.code ?? ""}`,
    message: typeof message === "string" ? message : "",
    places: Array.isArray(places) ? places.filter((place) => typeof place === "string") : [],
  };
}
