import * as library from "openai";
import { codeStories } from "./openai-code.ts";
import { fileStories } from "./openai-files.ts";
import { formsOf } from "./openai-library.ts";
import { objectStories } from "./openai-objects.ts";
import { runStories } from "./openai-runs.ts";
import { storeStories } from "./openai-stores.ts";
import { streamStories } from "./openai-streams.ts";

objectStories(library);
runStories(library);
streamStories(library);
fileStories(library);
storeStories(library);
codeStories(formsOf(library));
