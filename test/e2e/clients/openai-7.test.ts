import * as library from "openai";
import { fileStories } from "./openai-files.ts";
import { objectStories } from "./openai-objects.ts";
import { runStories } from "./openai-runs.ts";
import { storeStories } from "./openai-stores.ts";
import { streamStories } from "./openai-streams.ts";

objectStories(library);
runStories(library);
streamStories(library);
fileStories(library);
storeStories(library);
