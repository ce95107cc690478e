// Timer schedules: six-field NCRONTAB expressions, and TimeSpans.

import { Cron } from "croner";
import { parseTimeSpan } from "./settings.ts";

/** The next occurrence after a moment. */
export type Schedule = (after: Date) => Date;

/** Parses `0 30 9 * * 1-5` (UTC; five fields mean second 0) or a TimeSpan `00:00:30`. Throws when it is neither. */
export function parseSchedule(expression: string): Schedule {
  const span = parseTimeSpan(expression);
  if (span !== undefined) {
    if (span <= 0) throw notASchedule(expression);
    return (after) => new Date(after.getTime() + span);
  }
  const cron = parseCron(expression);
  return (after) => {
    const next = cron.nextRun(after);
    if (!next) throw new Error(`The schedule "${expression}" has no next occurrence.`);
    return next;
  };
}

function parseCron(expression: string): Cron {
  const pattern = expression.trim().replace(/(?<=[a-z]{3})[a-z]+/gi, "");
  const withoutNames = pattern.replace(/\b[a-z]{3}\b/gi, "");
  // Croner knows more than NCRONTAB: what Azure would refuse (@hourly, L, W, #, ?) must not work here either.
  if (!/^[\d*,/\-\s]+$/.test(withoutNames)) throw notASchedule(expression);
  try {
    return new Cron(pattern, {
      paused: true,
      timezone: "UTC",
      mode: "5-or-6-parts",
      // NCRONTAB: a day must satisfy both fields for days, and 5/15 means "from 5 on, each 15".
      domAndDow: true,
      sloppyRanges: true,
    });
  } catch {
    throw notASchedule(expression);
  }
}

function notASchedule(expression: string): Error {
  return new Error(
    `The schedule expression '${expression}' was not recognized as a valid cron expression or timespan string.`,
  );
}
