/**
 * Which sampling parameters a client chose itself. A default that a client left open is not sent to the model: some
 * models refuse the parameter, and others have a default of their own.
 */

const CHOOSABLE = ["temperature", "top_p", "parallel_tool_calls"] as const;
export type ChosenParameter = (typeof CHOOSABLE)[number];

/** Those of a request that creates something; null is "not given". */
export function chosenIn(request: { [Name in ChosenParameter]?: unknown }): ChosenParameter[] {
  return CHOOSABLE.filter((name) => request[name] !== undefined && request[name] !== null);
}

/** Those of an assistant after it was modified: what the request does not name stays as it was. */
export function chosenAfter(
  before: ChosenParameter[] | undefined,
  request: { [Name in ChosenParameter]?: unknown },
): ChosenParameter[] {
  return CHOOSABLE.filter((name) =>
    request[name] === undefined ? before?.includes(name) === true : request[name] !== null,
  );
}
