/** What the tests use of it; the package has no types. */
declare module "experts" {
  export class Assistant {
    constructor(options?: object);
    static create(options?: object): Promise<Assistant>;
    readonly id: string;
    init(): Promise<void>;
    ask(message: string, thread: string): Promise<string>;
    addAssistantTool(tool: new () => Tool): void;
  }
  export class Tool extends Assistant {}
  export class Thread {
    static create(): Promise<Thread>;
    readonly id: string;
  }
}
