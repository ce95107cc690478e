/** What came of code, as clients see it and as the model reads it. Pure. */

import type { ChangedFile } from "../../code/session.ts";
import { LONGEST_LOGS, LONGEST_READ, outputsOf, readResult, shownLogs } from "../../code/tool.ts";
import type { CodeOutput, CodeToolCall } from "../../resources/step.ts";
import { jsonBytes } from "../json-size.ts";
import type { DoneCall } from "./hosted-tool.ts";

export type Done =
  | {
      kind: "ran";
      logs: string;
      /** ids of their files */
      images: string[];
      /** how many more the code has drawn */
      unshown: number;
      files: ChangedFile[];
      /** those of them that no text can link */
      lost: ChangedFile[];
      isRestarted: boolean;
    }
  /** the code did not run to its end */
  | { kind: "text"; text: string; images: [] };

/**
 * What the calls of one model call may put out: the batch that pauses their run holds it beside all that the model may
 * have said. Bytes of JSON.
 */
export const MAX_LOG_BYTES = 200_000;
export const MAX_READ_BYTES = 100_000;

export const callOf = (id: string, input: string, outputs: CodeOutput[]): CodeToolCall => ({
  id,
  type: "code_interpreter",
  code_interpreter: { input, outputs },
});

/** The fewest that a token has of what code puts out: numbers. */
const BYTES_A_TOKEN = 2;

/** What the model reads where there is no room for a word of a result. */
const NO_ROOM = "[left out: too much has been put out]";

/** The results of one model call: together they have a bound. */
export class Readable {
  #logs = MAX_LOG_BYTES;
  #read: number;

  /** `room`: how many tokens of the model's context they may take. */
  constructor(room: number) {
    this.#read = Math.min(MAX_READ_BYTES, BYTES_A_TOKEN * room);
  }

  done(id: string, code: string, result: Done): DoneCall {
    const text = result.kind === "text" ? result.text : result.logs;
    const logs = longest(LONGEST_LOGS, this.#logs, (most) => shownLogs(text, most));
    const output = longest(LONGEST_READ, this.#read, (most) => readOf(result, most));
    this.#logs -= jsonBytes(logs);
    this.#read -= jsonBytes(output);
    return { call: callOf(id, code, outputsOf(logs, result.images)), record: { output: output || NO_ROOM } };
  }
}

/**
 * The text with the most characters of `most`, or less and less of them, that takes at most so many bytes of JSON;
 * "" if none does.
 */
function longest(most: number, bytes: number, textOf: (characters: number) => string): string {
  for (let characters = most; characters > 0; characters = Math.floor(characters * 0.8)) {
    const text = textOf(characters);
    if (jsonBytes(text) <= bytes) return text;
  }
  return "";
}

function readOf(result: Done, most: number): string {
  if (result.kind === "text") return result.text;
  const { logs, images, unshown, files, lost, isRestarted } = result;
  const kept = files.filter((file) => !lost.includes(file));
  return readResult({ logs, images: images.length, unshown, files: kept, lost, restarted: isRestarted }, most);
}
