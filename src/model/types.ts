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
