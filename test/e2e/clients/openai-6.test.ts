import * as openai6 from "openai-6";
import { codeStories } from "./openai-code.ts";
import { fileStories } from "./openai-files.ts";
import { formsOf, type Library } from "./openai-library.ts";
import { objectStories } from "./openai-objects.ts";
import { runStories } from "./openai-runs.ts";
import { storeStories } from "./openai-stores.ts";
import { streamStories } from "./openai-streams.ts";

// Its calls are those of version 7; only its classes are others, which is all that the compiler minds.
const library = openai6 as unknown as Library;

objectStories(library);
runStories(library);
streamStories(library);
fileStories(library);
storeStories(library);
codeStories(formsOf(library));
