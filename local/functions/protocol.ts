// The words that the Node worker and @azure/functions exchange. The real worker supplies them as the module
// `@azure/functions-core`, which is not on any registry; these are the parts that a local host needs.

/** A value on its way into or out of a function, as the worker's RPC protocol types it. */
export interface TypedData {
  string?: string;
  json?: string;
  bytes?: Uint8Array;
  collectionString?: { string: string[] };
  http?: HttpData;
}

/** An HTTP request or response that travels whole, without streaming. */
export interface HttpData {
  url?: string;
  method?: string;
  statusCode?: string;
  headers?: Record<string, string>;
  nullableHeaders?: Record<string, { value: string }>;
  nullableQuery?: Record<string, { value: string }>;
  nullableParams?: Record<string, { value: string }>;
  cookies?: CookieData[];
  body?: TypedData | null;
}

export interface CookieData {
  name: string;
  value: string;
  domain?: { value: string };
  path?: { value: string };
  expires?: { value: { seconds: number } };
  secure?: { value: boolean };
  httpOnly?: { value: boolean };
  sameSite?: "none" | "lax" | "strict" | "explicitNone";
  maxAge?: { value: number };
}

export interface Binding {
  type?: string;
  direction?: string;
  [setting: string]: unknown;
}

export interface FunctionMetadata {
  name: string;
  functionId?: string;
  bindings: Record<string, Binding>;
  retryOptions?: unknown;
}

export type FunctionCallback = (...args: unknown[]) => unknown;

export interface TraceContext {
  traceParent: string;
  traceState: string;
  attributes: Record<string, string>;
}

/** What a trigger hands to the worker for one invocation. */
export interface InvocationRequest {
  invocationId?: string;
  inputData: { name: string; data: TypedData }[];
  triggerMetadata: Record<string, TypedData>;
  traceContext?: TraceContext;
}

export interface InvocationResponse {
  outputData?: { name: string; data?: TypedData | null }[];
  returnValue?: TypedData | null;
}

/** One invocation as the library sees it: the worker calls these three in turn, with the hooks between them. */
export interface InvocationModel {
  getArguments(): Promise<{ context: unknown; inputs: unknown[] }>;
  invokeFunction(context: unknown, inputs: unknown[], callback: FunctionCallback): Promise<unknown>;
  getResponse(context: unknown, result: unknown): Promise<InvocationResponse>;
}

export interface ProgrammingModel {
  name: string;
  version: string;
  getCapabilities(capabilities: Record<string, string>): Promise<Record<string, string>>;
  getInvocationModel(context: object): InvocationModel;
}

export type HookCallback = (context: object) => unknown;

export const hookNames = ["preInvocation", "postInvocation", "appStart", "appTerminate", "log"] as const;
export type HookName = (typeof hookNames)[number];

/** A function that the app registered, with its one trigger found. */
export interface RegisteredFunction {
  id: string;
  name: string;
  metadata: FunctionMetadata;
  callback: FunctionCallback;
  trigger: Binding & { name: string; type: string };
}

/** What became of one invocation. `returned` is what the handler (or a hook after it) left as its result. */
export interface Outcome {
  invocationId: string;
  error?: unknown;
  returned?: unknown;
  response?: InvocationResponse;
}

/** Something that brings invocations (a queue, a timer) and can be told to bring no more. */
export interface Listener {
  /** Resolves when nothing new will start and all that was under way is finished and settled. */
  stop(): Promise<void>;
}
