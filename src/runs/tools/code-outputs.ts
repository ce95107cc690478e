/** What came of code, as clients see it and as the model reads it. Pure. */

import type { ChangedFile } from "../../code/session.ts";
import { outputsOf, readResult } from "../../code/tool.ts";
import type { CodeOutput, CodeToolCall } from "../../resources/step.ts";
import { jsonBytes, lengthWithin } from "../json-size.ts";
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
    const [logs, read] = result.kind === "text" ? [result.text, result.text] : [result.logs, readOf(result)];
    const outputs = outputsOf(logs, result.images).flatMap((output) => this.#shown(output));
    const output = read.slice(0, lengthWithin(read, this.#read));
    this.#read = Math.max(0, this.#read - jsonBytes(output));
    return { call: callOf(id, code, outputs), record: { output: output || NO_ROOM } };
  }

  /** No text is no output. */
  #shown(output: CodeOutput): CodeOutput[] {
    if (output.type !== "logs") return [output];
    const logs = output.logs.slice(0, lengthWithin(output.logs, this.#logs));
    this.#logs = Math.max(0, this.#logs - jsonBytes(logs));
    return logs === "" ? [] : [{ type: "logs", logs }];
  }
}

const readOf = ({ logs, images, unshown, files, lost, isRestarted }: Extract<Done, { kind: "ran" }>) =>
  readResult({
    logs,
    images: images.length,
    unshown,
    files: files.filter((file) => !lost.includes(file)),
    lost,
    restarted: isRestarted,
  });
