/** What a pool of sessions answers, and what it means. */
import { z } from "zod";
import { garbage, type PoolAnswer, type PoolRequest, refusal } from "./pool.ts";

export const listing = z.object({
  value: z.array(z.object({ name: z.string(), type: z.string() })).max(100_000),
  nextLink: z.string().nullish(),
});

const text = z.string().nullish();
export const executed = z.object({
  status: z.string(),
  error: z.object({ error: z.object({ code: text, message: text }).nullish(), code: text, message: text }).nullish(),
  result: z.object({ stdout: text, stderr: text }).nullish(),
});
type Executed = z.output<typeof executed>;

export const metadata = z.object({ preInstalledPackages: z.array(z.object({ name: z.string() })).max(10_000) });

/** How an execution ended without the driver's line. The words are those of Azure's and of the local service. */
export function endingOf({ status, error, result }: Executed): "timeout" | "aborted" | "memory" | "crash" | "lost" {
  const { code, message } = error?.error ?? error ?? {};
  const words = `${code ?? ""} ${message ?? ""} ${result?.stderr ?? ""}`;
  if (/^succe/i.test(status)) return "lost";
  if (/timed? ?out/i.test(words)) return "timeout";
  // It waited for another execution, which failed; or its session has ended meanwhile.
  if (/execution aborted|deleted/i.test(words)) return "aborted";
  if (/memory|kernel restarted|killed/i.test(words)) return "memory";
  return /crash/i.test(words) ? "crash" : "lost";
}

/** Throws CodeTrouble if the answer is not of this form. */
export function parse<T>(form: z.ZodType<T>, request: PoolRequest, answer: PoolAnswer): T {
  if (answer.status !== 200) throw refusal(request, answer);
  const parsed = form.safeParse(jsonOf(answer.bytes));
  if (!parsed.success) throw garbage(request, answer);
  return parsed.data;
}

function jsonOf(bytes: Buffer | undefined): unknown {
  try {
    return JSON.parse(bytes?.toString() ?? "");
  } catch {
    return undefined;
  }
}
