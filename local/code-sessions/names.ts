/** Identifiers and names of files, by the rules of Azure. */
import { invalid } from "./errors.ts";

const IDENTIFIER = /^[\w|}{[\]:"';<>?/.,@#$%^&*()\-+=!~`]{4,128}$/;
const FILE_NAME = /^[\p{L}\p{N} \-_.@$&=;,#%^()]+$/u;
/** The same, without dots. */
const FOLDER_NAME = /^[\p{L}\p{N} \-_@$&=;,#%^()]+$/u;
const LONGEST_NAME = 255;
const LONGEST_PATH = 1024;

export function identifierFrom(query: URLSearchParams): string {
  const given = query.getAll("identifier");
  const [identifier] = given;
  if (identifier === undefined) throw invalid("The query parameter 'identifier' is missing.");
  if (given.length > 1) throw invalid("The query parameter 'identifier' stands there more than once.");
  if (!IDENTIFIER.test(identifier)) throw invalid("The identifier must have 4 to 128 of the characters allowed.");
  return identifier;
}

/** A folder below the root of files; "" is the root itself. */
export function folderFrom(query: URLSearchParams): string {
  const given = query.getAll("path");
  const [folder = ""] = given;
  if (given.length > 1) throw invalid("The query parameter 'path' stands there more than once.");
  if (folder === "") return folder;
  const isFine = folder.length <= LONGEST_PATH && folder.split("/").every((name) => isName(name, FOLDER_NAME));
  if (!isFine) throw invalid("The path must be relative, of names without dots and special characters.");
  return folder;
}

/** A name under which a file may be stored. */
export function newFileName(name: string): string {
  if (!isName(name, FILE_NAME) || isDots(name)) {
    throw invalid("The file's name has characters that are not allowed, or is longer than 255 characters.");
  }
  return name;
}

/** The name of a file that is there: code may have given it any name. */
export function fileName(encoded: string): string {
  const name = decoded(encoded);
  if (name === "" || name.length > LONGEST_NAME || /[/\0]/.test(name) || isDots(name)) {
    throw invalid("The name of the file is none.");
  }
  return name;
}

export const joined = (folder: string, name: string) => (folder === "" ? name : `${folder}/${name}`);

function decoded(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    throw invalid("The name of the file is not encoded properly.");
  }
}

const isName = (name: string, pattern: RegExp) => name.length <= LONGEST_NAME && pattern.test(name);

const isDots = (name: string) => name === "." || name === "..";
