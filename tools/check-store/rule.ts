/** What a rule is: it looks at one thread and says what is wrong with it. */
import type { ThreadSnapshot } from "./snapshot.ts";

export interface CheckOptions {
  /** milliseconds since 1970 */
  now: number;
  /** how late a worker or the sweep may be, and how far the clocks of instances may differ, in milliseconds */
  tolerance: number;
  /** how long events are kept, as the app's setting says, in seconds; 0 if they are not */
  eventsTtl: number;
  /** whether no worker and no sweep runs: then nothing is overdue */
  isStopped?: boolean;
  /** whether clients delete messages: then a message that a step names may be missing */
  messagesAreDeleted: boolean;
}

export interface Finding {
  /** of the object that is wrong */
  id: string;
  detail: string;
}

export type Rule = (thread: ThreadSnapshot, options: CheckOptions) => Iterable<Finding>;
