// One line an entry: time, level, function, message.

export const levels = ["trace", "debug", "information", "warning", "error", "critical"] as const;
export type Level = (typeof levels)[number];

export interface Log {
  write(level: Level, functionName: string, message: string): void;
}

/** Writes entries of `threshold` and above to standard output (warnings and worse to standard error). */
export function consoleLog(threshold: Level): Log {
  const lowest = levels.indexOf(threshold);
  return {
    write(level, functionName, message) {
      if (levels.indexOf(level) < lowest) return;
      const line = `${new Date().toISOString()} ${level} ${functionName} ${onOneLine(message)}\n`;
      (level === "information" || level === "debug" || level === "trace" ? process.stdout : process.stderr).write(line);
    },
  };
}

export function isLevel(text: string): text is Level {
  return levels.some((level) => level === text);
}

/** The stack of an Error, whose first line is its message; anything else as text. */
export function describeError(error: unknown): string {
  return error instanceof Error ? (error.stack ?? error.message) : String(error);
}

function onOneLine(message: string): string {
  return message.includes("\n") ? message.trim().replace(/\s*\r?\n\s*/g, " | ") : message;
}
