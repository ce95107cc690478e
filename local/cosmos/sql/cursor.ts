import { badRequest } from "../errors.ts";
import { syntaxError, type Token } from "./lexer.ts";

/** The real service refuses deep nesting too; here it also keeps the recursion from overflowing the stack. */
const MAX_DEPTH = 100;

/** Words that are keywords only where the grammar asks for them. */
export const SOFT_KEYWORDS = new Set(["VALUE", "RANK", "TOP", "ARRAY", "LIMIT", "OFFSET", "ESCAPE"]);

/** A place in a list of tokens, and the small steps that a parser takes from it. */
export class TokenCursor {
  readonly #tokens: Token[];
  #position = 0;
  #depth = 0;

  constructor(tokens: Token[]) {
    this.#tokens = tokens;
  }

  protected get current(): Token {
    return this.peek(0);
  }

  protected peek(ahead: number): Token {
    const token = this.#tokens[Math.min(this.#position + ahead, this.#tokens.length - 1)];
    if (!token) throw syntaxError("end of query", 0);
    return token;
  }

  protected next(): Token {
    const token = this.current;
    this.#position++;
    return token;
  }

  /** Undoes next(), so that fail() names the right token. */
  protected back(): void {
    this.#position--;
  }

  protected fail(): never {
    throw syntaxError(this.current.raw, this.current.at);
  }

  protected is(text: string): boolean {
    const { kind, text: actual } = this.current;
    return actual === text && (kind === "keyword" || kind === "symbol");
  }

  protected take(text: string): boolean {
    if (!this.is(text)) return false;
    this.#position++;
    return true;
  }

  protected need(text: string): void {
    if (!this.take(text)) this.fail();
  }

  protected name(): string {
    const { kind, text } = this.current;
    if (kind === "name" || (kind === "keyword" && SOFT_KEYWORDS.has(text))) return this.next().raw;
    this.fail();
  }

  protected list<T>(element: () => T): T[] {
    const elements = [element()];
    while (this.take(",")) elements.push(element());
    return elements;
  }

  protected nested<T>(parse: () => T): T {
    if (++this.#depth > MAX_DEPTH) throw badRequest("The query is nested too deeply.");
    const result = parse();
    this.#depth--;
    return result;
  }
}
