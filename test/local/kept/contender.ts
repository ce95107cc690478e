// Takes a folder again and again, and writes to a file when it has it and when it gives it back.
import { appendFileSync } from "node:fs";
import { setTimeout as sleep } from "node:timers/promises";
import { FolderInUse, takeFolder } from "../../../local/folder-lock.ts";

const [folder = "", log = "", times = "0"] = process.argv.slice(2);

for (let taken = 0; taken < Number(times); ) {
  try {
    const lock = takeFolder(folder);
    appendFileSync(log, `+${process.pid}\n`);
    await sleep(2);
    appendFileSync(log, `-${process.pid}\n`);
    lock.release();
    taken++;
  } catch (error) {
    if (!(error instanceof FolderInUse)) throw error;
  }
  await sleep(Math.random() * 5);
}
