import type { Reply } from "./raw-model.ts";

/** What a server sends, and what a client must read of it. */
export interface Row {
  /** after the kind of server, or the public report that told of it */
  name: string;
  sends: string | Reply;
  text?: string;
  calls?: { id?: string; name: string; arguments: string }[];
  /** completed, or requires_action where there are calls, if it is absent */
  status?: "failed" | "incomplete";
  error?: { code: string; message: string };
  /** of the whole run, if the server tells it; counted usage is checked to be there */
  usage?: [prompt: number, completion: number, total: number];
  /** how often the model is asked until then: once, if it is absent */
  asked?: number;
}

export const SORRY = { code: "server_error", message: "Sorry, something went wrong." };
