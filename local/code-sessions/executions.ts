/** Executions as requests ask for them and as answers show them. */
import { z } from "zod";
import { invalid, propertiesMissing, unsupported } from "./errors.ts";

/** Seconds that Azure gives an execution at the most. */
const LONGEST_EXECUTION = 220;
/** Characters of each stream, unless the request says otherwise; as on Azure the rest is cut off silently. */
const USUAL_LENGTH = 4096;
const GREATEST_LENGTH = 1_000_000;

export interface Order {
  code: string;
  isAsynchronous: boolean;
  /** milliseconds */
  timeout: number;
  /** characters of stdout and of stderr that the answer has */
  length: number;
}

export interface Execution {
  id: string;
  identifier: string;
  executionType: "Synchronous" | "Asynchronous";
  status: "NotStarted" | "Running" | "Succeeded" | "Failed";
  error?: { error: { code: string; message: string } };
  result?: { stdout: string; stderr: string; executionResult: unknown; executionTimeInMilliseconds: number };
}

const request = z.strictObject({
  codeInputType: z.enum(["Inline", "InlineBase64", "InlineText"]),
  executionType: z.enum(["Synchronous", "Asynchronous"]),
  code: z.string(),
  timeoutInSeconds: z.int().min(1).max(LONGEST_EXECUTION),
  outputStreamsMaxLength: z.int().min(0).max(GREATEST_LENGTH).default(USUAL_LENGTH),
  useEmptyKernel: z.boolean().default(false),
  returnJupyterFormatExecutionResult: z.boolean().default(false),
});

/** Throws 400 for what is no order, or one that this server does not support. */
export function orderIn(body: unknown): Order {
  if (typeof body === "object" && body !== null && "properties" in body) throw propertiesMissing();
  const { success, data, error } = request.safeParse(body);
  if (!success) {
    const [issue] = error.issues;
    throw invalid(`The request is not valid at '${issue?.path.join(".")}': ${issue?.message}.`);
  }
  if (data.useEmptyKernel) throw unsupported("useEmptyKernel");
  if (data.returnJupyterFormatExecutionResult) throw unsupported("returnJupyterFormatExecutionResult");
  return {
    code: data.codeInputType === "InlineBase64" ? Buffer.from(data.code, "base64").toString() : data.code,
    isAsynchronous: data.executionType === "Asynchronous",
    timeout: data.timeoutInSeconds * 1000,
    length: data.outputStreamsMaxLength,
  };
}
