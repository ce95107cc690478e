/**
 * Tells whether a growing text holds a whole JSON object or list. Reads each character once, however often it is asked.
 */
export class JsonEnd {
  #read = 0;
  #depth = 0;
  #hasBegun = false;
  #isInString = false;
  #isEscaped = false;

  /** `text`: the same as the last time, or longer. */
  isReached(text: string): boolean {
    for (; this.#read < text.length; this.#read++) this.#next(text.charCodeAt(this.#read));
    return this.#hasBegun && this.#depth <= 0 && !this.#isInString;
  }

  #next(code: number): void {
    if (this.#isEscaped) this.#isEscaped = false;
    else if (this.#isInString) {
      if (code === BACKSLASH) this.#isEscaped = true;
      else if (code === QUOTE) this.#isInString = false;
    } else if (code === QUOTE) this.#isInString = true;
    else if (code === OPENING_BRACE || code === OPENING_BRACKET) {
      this.#hasBegun = true;
      this.#depth += 1;
    } else if (code === CLOSING_BRACE || code === CLOSING_BRACKET) this.#depth -= 1;
  }
}

const QUOTE = 0x22;
const BACKSLASH = 0x5c;
const OPENING_BRACKET = 0x5b;
const CLOSING_BRACKET = 0x5d;
const OPENING_BRACE = 0x7b;
const CLOSING_BRACE = 0x7d;
