import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { parseSchedule } from "../../../local/functions/schedule.ts";
import { type HostProcess, startHostProcess, until } from "./host-process.ts";

interface TimerInfo {
  isPastDue: boolean;
  scheduleStatus: { last: string; next: string };
}

interface Runs {
  every: TimerInfo[];
  startup: TimerInfo[];
  never: TimerInfo[];
  slow: string[];
  most: number;
}

describe("timer functions", () => {
  let host: HostProcess;
  const runs = async (): Promise<Runs> => (await (await fetch(`${host.url}/api/runs`)).json()) as Runs;
  const run = (name: string) => fetch(`${host.url}/admin/functions/${name}`, { method: "POST" });

  beforeAll(async () => {
    host = await startHostProcess("clock", { env: { EVERY: "00:00:01" } });
  });
  afterAll(async () => {
    expect(await host.stop()).toBe(0);
  });

  it("run on start-up if they ask for it, and else not before their time", async () => {
    const { startup, never } = await until(async () => {
      const all = await runs();
      return all.startup.length > 0 && all;
    });
    expect(startup).toHaveLength(1);
    expect(never).toHaveLength(0);
  });

  it("run at the TimeSpan that a setting gives, and say when the next run is", async () => {
    const { every } = await until(async () => {
      const all = await runs();
      return all.every.length > 0 && all;
    });
    expect(every[0]).toMatchObject({ isPastDue: false, scheduleStatus: { last: "1970-01-01T00:00:00.000Z" } });
  });

  it("run by hand through the admin API", async () => {
    expect((await run("never")).status).toBe(202);
    const { never } = await until(async () => {
      const all = await runs();
      return all.never.length > 0 && all;
    });
    expect(never[0]).toMatchObject({ isPastDue: false });
  });

  it("that fail are logged", async () => {
    expect((await run("fails")).status).toBe(202);
    await until(() => /error fails failed: Error: clockwork broken/.test(host.output()));
  });

  it("never overlap with themselves", async () => {
    const { most } = await until(async () => {
      const all = await runs();
      return all.slow.length > 1 && all;
    });
    expect(most).toBe(1);
  });

  it("are told that they are past due when they come late", async () => {
    await fetch(`${host.url}/api/block`);
    await until(async () => (await runs()).every.some((timer) => timer.isPastDue));
  });
});

describe("a schedule", () => {
  const after = new Date("2026-03-04T05:06:07.500Z"); // a Wednesday

  it.each([
    ["*/5 * * * * *", "2026-03-04T05:06:10.000Z"],
    ["0 */5 * * * *", "2026-03-04T05:10:00.000Z"],
    ["0 5/15 * * * *", "2026-03-04T05:20:00.000Z"],
    ["0 0 9-17 * * Mon-Fri", "2026-03-04T09:00:00.000Z"],
    ["0 30 9 * January Monday", "2027-01-04T09:30:00.000Z"],
    ["0 0 0 13 * 5", "2026-03-13T00:00:00.000Z"],
    ["0 0 0 31 * 0", "2026-05-31T00:00:00.000Z"],
    ["*/5 * * * *", "2026-03-04T05:10:00.000Z"],
    ["00:00:30", "2026-03-04T05:06:37.500Z"],
    ["1.00:00:00", "2026-03-05T05:06:07.500Z"],
  ])("%s is next due at %s", (expression, next) => {
    expect(parseSchedule(expression)(after).toISOString()).toBe(next);
  });

  it.each(["@hourly", "* * *", "61 * * * * *", "0 0 0 L * *", "0 0 0 ? * 1", "00:00:00", "every day", "* * * * * * *"])(
    "%s is refused",
    (expression) => {
      expect(() => parseSchedule(expression)).toThrow("was not recognized as a valid cron expression");
    },
  );
});
