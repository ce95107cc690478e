/**
 * Code out of the arguments of a call while a model writes them: the text under `code` of a JSON object that arrives in
 * pieces, decoded. Models that know better send bare code. Pure.
 */

/** Keys of the code; the first one counts. */
const KEYS = ["code", "input"] as const;

/**
 * - `start`: nothing but white space so far
 * - `between`, `key`, `colon`, `value`: the object, up to the code
 * - `skip`: a value of another key
 * - `code`: inside the code's string
 * - `bare`: all of it is code
 * - `closed`: what comes tells no code, or only all of it together does
 */
type State = "start" | "between" | "key" | "colon" | "value" | "skip" | "code" | "bare" | "closed";

const ESCAPES: Record<string, string> = { n: "\n", t: "\t", r: "\r", b: "\b", f: "\f" };

export class CodeStream {
  #state: State = "start";
  /** white space that bare code may begin with */
  #blank = "";
  #key = "";
  /** of a value that is skipped */
  #depth = 0;
  #isInString = false;
  /** an escape that is not whole yet, with its backslash */
  #escape = "";
  /** the first half of a surrogate pair */
  #half = "";
  #code = "";

  /** The code that has been shown, and after `close` the code. */
  get code(): string {
    return this.#code;
  }

  /** What is to be shown now that this has come; never half of a character. */
  push(piece: string): string {
    let shown = "";
    for (let at = 0; at < piece.length; at++) shown += this.#read(piece.charAt(at));
    return this.#whole(shown);
  }

  /** No more comes: `all` is everything. Its JSON counts for more than what was shown. */
  close(all: string): string {
    this.#code = (codeIn(all) ?? (this.#code !== "" || this.#state === "bare" ? this.#code : all)).toWellFormed();
    return this.#code;
  }

  /** Keeps the first half of a surrogate pair until the other one comes. */
  #whole(text: string): string {
    const all = this.#half + text;
    const last = all.charCodeAt(all.length - 1);
    const isHalf = last >= 0xd800 && last <= 0xdbff;
    this.#half = isHalf ? all.slice(-1) : "";
    const shown = isHalf ? all.slice(0, -1) : all;
    this.#code += shown;
    return shown;
  }

  #read(character: string): string {
    switch (this.#state) {
      case "start":
        return this.#begin(character);
      case "bare":
        return character;
      case "code":
        return this.#decode(character);
      case "between":
        if (character === '"') [this.#state, this.#key] = ["key", ""];
        else if (character === "}") this.#state = "closed";
        return "";
      case "key":
        this.#readKey(character);
        return "";
      case "colon":
        if (!isBlank(character)) this.#state = character === ":" ? "value" : "closed";
        return "";
      case "value":
        this.#beginValue(character);
        return "";
      case "skip":
        this.#skip(character);
        return "";
      case "closed":
        return "";
    }
  }

  #begin(character: string): string {
    if (isBlank(character)) {
      this.#blank += character;
      return "";
    }
    // A string may be JSON or Python: its end tells.
    if (character === "{") this.#state = "between";
    else if (character === '"') this.#state = "closed";
    else this.#state = "bare";
    return this.#state === "bare" ? this.#blank + character : "";
  }

  #readKey(character: string): void {
    if (character === '"' && this.#escape === "") this.#state = "colon";
    else this.#key += character;
    this.#escape = character === "\\" && this.#escape === "" ? character : "";
  }

  #beginValue(character: string): void {
    if (isBlank(character)) return;
    if (character === '"' && KEYS.some((key) => key === this.#key)) {
      this.#state = "code";
      return;
    }
    [this.#state, this.#depth, this.#isInString, this.#escape] = ["skip", 0, false, ""];
    this.#skip(character);
  }

  #skip(character: string): void {
    if (this.#isInString) {
      if (this.#escape !== "") this.#escape = "";
      else if (character === "\\") this.#escape = character;
      else if (character === '"') this.#isInString = false;
    } else if (character === '"') this.#isInString = true;
    else if (character === "{" || character === "[") this.#depth += 1;
    else if (this.#depth > 0) this.#depth -= character === "}" || character === "]" ? 1 : 0;
    else if (character === ",") this.#state = "between";
    else if (character === "}") this.#state = "closed";
  }

  #decode(character: string): string {
    if (this.#escape === "") {
      if (character === '"') this.#state = "closed";
      else if (character === "\\") this.#escape = character;
      else return character;
      return "";
    }
    this.#escape += character;
    const [, kind = ""] = this.#escape;
    if (kind === "u" && this.#escape.length < 6) return "";
    const whole = this.#escape;
    this.#escape = "";
    if (kind !== "u") return ESCAPES[kind] ?? kind;
    const unit = Number.parseInt(whole.slice(2), 16);
    return Number.isNaN(unit) ? "" : String.fromCharCode(unit);
  }
}

const isBlank = (character: string) => /\s/.test(character);

/** The code in whole arguments. */
export function codeOf(all: string): string {
  const stream = new CodeStream();
  stream.push(all);
  return stream.close(all);
}

/** The code that JSON tells; "" if it tells none, undefined if it is no JSON that could. */
export function codeIn(all: string): string | undefined {
  let value: unknown;
  try {
    value = JSON.parse(all);
  } catch {
    return undefined;
  }
  if (typeof value === "string") return value;
  if (typeof value !== "object" || value === null || Array.isArray(value)) return undefined;
  const texts = KEYS.map((key): unknown => Reflect.get(value, key));
  return texts.find((text) => typeof text === "string") ?? "";
}
