/** The thread that counts tokens: gets texts of at most a slice together, answers with their counts. */
import { parentPort } from "node:worker_threads";
import { countTokens, setMergeCacheSize } from "gpt-tokenizer/encoding/o200k_base";
import { pieces } from "./slices.ts";

/** Words that the tokenizer remembers, of at most `LONGEST_WORD` characters each: by default 100,000. */
const REMEMBERED_WORDS = 10_000;

/** What looks like a control token in a user's text is text. */
const PLAIN = { disallowedSpecial: new Set<string>() };

setMergeCacheSize(REMEMBERED_WORDS);

const count = (text: string) => pieces(text).reduce((sum, piece) => sum + countTokens(piece, PLAIN), 0);

parentPort?.on("message", (texts: string[]) => parentPort?.postMessage(texts.map(count)));
