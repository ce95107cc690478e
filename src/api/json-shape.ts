/**
 * The shape of a JSON text, found without parsing it. What is nested too deeply would break the code that walks through
 * it, and Cosmos DB stores 128 levels at the most. What has too many values takes long to parse and to check, however
 * few bytes they have. Brackets and commas within strings do not count.
 */
export class JsonShape {
  /** Levels of brackets. */
  depth = 0;
  /** Values at the most: every one but the first follows an opening bracket or a comma. */
  values = 1;
  #level = 0;
  #inString = false;
  #isEscaped = false;

  /** Whether every string and bracket has an end; if not, the text is no JSON. */
  get isClosed(): boolean {
    return this.#level === 0 && !this.#inString;
  }

  /** Takes the next part of the text: `from` included, `to` not. */
  scan(text: string, from = 0, to = text.length): void {
    for (let index = from; index < to; index++) {
      const character = text.charCodeAt(index);
      if (this.#inString) this.#withinString(character);
      else if (character === QUOTE) this.#inString = true;
      else if (character === COMMA) this.values += 1;
      else if (character === OPEN_OBJECT || character === OPEN_ARRAY) this.#open();
      else if (character === CLOSE_OBJECT || character === CLOSE_ARRAY) this.#level -= 1;
    }
  }

  #withinString(character: number): void {
    if (this.#isEscaped) this.#isEscaped = false;
    else if (character === BACKSLASH) this.#isEscaped = true;
    else if (character === QUOTE) this.#inString = false;
  }

  #open(): void {
    this.values += 1;
    this.#level += 1;
    this.depth = Math.max(this.depth, this.#level);
  }
}

const QUOTE = 0x22;
const COMMA = 0x2c;
const BACKSLASH = 0x5c;
const OPEN_ARRAY = 0x5b;
const CLOSE_ARRAY = 0x5d;
const OPEN_OBJECT = 0x7b;
const CLOSE_OBJECT = 0x7d;
