/** What goes wrong between the app and Blob Storage. */

/** Blob Storage did not do what it was asked. The same request may work later. */
export class BlobTrouble extends Error {
  /** the status of its answer; undefined if there was none */
  readonly status: number | undefined;

  constructor(message: string, status: number | undefined, cause: unknown) {
    super(message, { cause });
    this.name = "BlobTrouble";
    this.status = status;
  }

  /** The account is over its throughput. */
  get isBusy(): boolean {
    return this.status === 429 || this.status === 503;
  }
}

/** For `catch`: throws the error as trouble with an operation of the SDK. */
export function asBlobTrouble(operation: string): (error: unknown) => never {
  return (error) => {
    if (error instanceof BlobTrouble) throw error;
    const status = statusOf(error);
    const code: unknown = error instanceof Error ? Reflect.get(error, "code") : undefined;
    const reason = typeof code === "string" ? code : status === undefined ? "no answer" : String(status);
    throw new BlobTrouble(`Blob Storage did not ${operation}: ${reason}`, status, error);
  };
}

/** Whether there is no such blob. A missing container is trouble, not a missing blob. */
export const isMissing = (error: unknown) =>
  statusOf(error) === 404 && error instanceof Error && Reflect.get(error, "code") === "BlobNotFound";

function statusOf(error: unknown): number | undefined {
  const status: unknown = error instanceof Error ? Reflect.get(error, "statusCode") : undefined;
  return typeof status === "number" ? status : undefined;
}
