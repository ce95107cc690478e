/** What a break of the project is, and what it takes back. */

/** What the app promises, and what the local servers stand for. */
export const PROMISES = {
  0: "the engine as a whole",
  1: "endings always fit and always happen",
  2: "a finished answer is never asked for again",
  3: "attempts and back-off are facts of the run",
  4: "a refused write is not a lost run",
  5: "no request holds up the others",
  6: "a deleted thread is gone at once, and purged by and by",
  7: "tenants do not notice each other",
  8: "local servers are as strict as Azure, and the app lives with it",
  9: "code that the model has written runs once",
};

export interface Edit {
  /** below the project's folder */
  file: string;
  /** every occurrence is replaced; there must be one */
  from: string;
  to: string;
}

export interface Break {
  what: string;
  promise: keyof typeof PROMISES;
  edits: [Edit, ...Edit[]];
  /** the test file that must fail; a campaign unless given */
  caughtBy?: string;
  /** a part of the names of the tests in it that must fail, if not all of the file is to be run */
  named?: string;
  /** why the test may well not notice: then that is no failure of the harness */
  elusive?: string;
}

export const of = (
  promise: keyof typeof PROMISES,
  what: string,
  edits: [Edit, ...Edit[]],
  more: Partial<Break> = {},
): Break => ({
  what,
  promise,
  edits,
  ...more,
});

/** An edit of the app, or of what lies beside it. */
export const edit = (file: string, from: string, to: string): Edit => ({ file: `src/${file}`, from, to });
export const editAt = (file: string, from: string, to: string): Edit => ({ file, from, to });
