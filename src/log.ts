/** One line an entry. Never log keys, instructions, messages or tool outputs: ids and numbers are enough. */
export interface Log {
  info(message: string, details?: Record<string, unknown>): void;
  warn(message: string, details?: Record<string, unknown>): void;
  error(message: string, details?: Record<string, unknown>): void;
}

/** To the console, which the Functions host forwards to Application Insights. */
export const consoleLog: Log = {
  info: (message, details) => console.info(line(message, details)),
  warn: (message, details) => console.warn(line(message, details)),
  error: (message, details) => console.error(line(message, details)),
};

function line(message: string, details: Record<string, unknown> = {}): string {
  const fields = Object.entries(details).map(([name, value]) => `${name}=${shown(value)}`);
  return [message, ...fields].join(" ");
}

/** Of an error only what says where it came from: its text may quote a request. */
function shown(value: unknown): string {
  if (!(value instanceof Error)) return JSON.stringify(value) ?? String(value);
  const code: unknown = Reflect.get(value, "code") ?? Reflect.get(value, "status");
  return JSON.stringify(`${value.name}${code === undefined ? "" : ` ${code}`}: ${value.message.slice(0, 300)}`);
}
