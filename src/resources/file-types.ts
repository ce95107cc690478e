/** Which files can be searched, by the endings of their names. */
import { shown, unsupportedExtensions } from "./errors.ts";

/** How the content of a searchable file is read. */
export type FileKind = "pdf" | "docx" | "pptx" | "doc" | "html" | "text";

const TEXT = ["c", "cpp", "cs", "css", "go", "java", "js", "json", "md", "php", "py", "rb", "sh", "tex", "ts", "txt"];

/** The original's list (https://platform.openai.com/docs/assistants/tools/file-search/supported-files). */
const KINDS = new Map<string, FileKind>([
  ...TEXT.map((extension): [string, FileKind] => [extension, "text"]),
  ["pdf", "pdf"],
  ["docx", "docx"],
  ["pptx", "pptx"],
  ["doc", "doc"],
  ["html", "html"],
]);

export const SEARCHABLE_EXTENSIONS = [...KINDS.keys()].toSorted();

/** What follows the last dot of a name without its folders, in lower case; "" if there is none. */
export function extensionOf(name: string): string {
  const base = name.slice(Math.max(name.lastIndexOf("/"), name.lastIndexOf("\\")) + 1);
  const dot = base.lastIndexOf(".");
  return dot < 0 ? "" : base.slice(dot + 1).toLowerCase();
}

/** Undefined if files with such names cannot be searched. */
export const kindOfFile = (name: string): FileKind | undefined => KINDS.get(extensionOf(name));

/** Extensions that a refusal names. */
const MOST_NAMED = 20;

/** The 400 for names of files that are to be searched but cannot be, if there are any. `param` is what named them. */
export function refusedExtensions(names: readonly string[], param: string) {
  const refused = names.filter((name) => kindOfFile(name) === undefined).map(extensionOf);
  if (refused.length === 0) return undefined;
  const named = [...new Set(refused)].map((each) => (each === "" ? "none" : `.${shown(each)}`));
  return unsupportedExtensions(named.slice(0, MOST_NAMED), param);
}
