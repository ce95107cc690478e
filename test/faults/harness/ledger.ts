/** What was done to which instance, and when: by it model calls are explained that were made again. */
export type BlowKind = "kill" | "freeze" | "stop" | "blackout";

export interface Blow {
  kind: BlowKind;
  /** as `Child.name` */
  instance: string;
  /** milliseconds since 1970; a kill is one moment */
  from: number;
  to: number;
}

/** A time in which the store did not answer as it should, for all instances alike. */
export interface Siege {
  name: string;
  from: number;
  to: number;
}

export class Ledger {
  readonly blows: Blow[] = [];
  readonly sieges: Siege[] = [];

  /** Enters the blow now; the answer closes it, if it lasts. */
  strike(kind: BlowKind, instance: string): () => void {
    const now = Date.now();
    const blow: Blow = { kind, instance, from: now, to: now };
    this.blows.push(blow);
    return () => {
      blow.to = Date.now();
    };
  }

  besiege(name: string): () => void {
    const siege: Siege = { name, from: Date.now(), to: Number.POSITIVE_INFINITY };
    this.sieges.push(siege);
    return () => {
      siege.to = Date.now();
    };
  }
}
