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

/** The endpoint answered as if all were well, but with something that is no chat completion, such as a web page. */
export class NotAnAnswer extends Error {
  readonly contentType: string;

  constructor(contentType: string) {
    super(`The model's endpoint answered with ${contentType} that is no chat completion.`);
    this.name = "NotAnAnswer";
    this.contentType = contentType;
  }
}
