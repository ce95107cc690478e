/** What the files of this folder pass to each other, and to the engine. */
import type { ChatCompletionCreateParamsStreaming } from "openai/resources/chat/completions";

/** The body of a model call; the client adds the fields that make it a stream. */
export type ModelRequest = Omit<ChatCompletionCreateParamsStreaming, "stream" | "stream_options">;

/** The model sent nothing for too long, before the first piece of its answer or between two pieces. */
export class ModelTimeout extends Error {
  constructor(milliseconds: number) {
    super(`the model sent nothing for ${milliseconds / 1000} s`);
    this.name = "ModelTimeout";
  }
}

/** An answer with a good status that cannot be read to its end. */
export class BrokenAnswer extends Error {
  readonly status: number;
  readonly contentType: string;

  constructor(message: string, status: number, contentType: string) {
    super(message);
    this.name = new.target.name;
    this.status = status;
    this.contentType = contentType;
  }
}

/** The endpoint answered as if all were well, but with something that is no chat completion, such as a web page. */
export class NotAnAnswer extends BrokenAnswer {
  constructor(status: number, contentType: string) {
    super(`The model's endpoint answered with ${contentType} that is no chat completion.`, status, contentType);
  }
}

/** The endpoint answered as if all were well, but not with one usable embedding for each text. */
export class NoEmbeddings extends BrokenAnswer {
  constructor(what: string, status: number, contentType: string) {
    super(`The embedding model's endpoint answered with ${what}.`, status, contentType);
  }
}

/** The settings name no model that makes embeddings. */
export class NoEmbeddingModel extends Error {
  constructor() {
    super("No embedding model is set (EMBEDDING_MODEL).");
    this.name = "NoEmbeddingModel";
  }
}

/** The model makes embeddings that do not fit into this deployment's stores. */
export class WrongDimensions extends Error {
  constructor(given: number, expected: number) {
    super(
      `The embedding model gives ${given} dimensions, but this deployment stores ${expected}. Set ` +
        `EMBEDDING_DIMENSIONS to ${given}, or choose another EMBEDDING_MODEL.`,
    );
    this.name = "WrongDimensions";
  }
}
