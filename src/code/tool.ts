/** The code interpreter as the model sees it: a function that runs Python. Everything here is pure. */
import { type ChangedFile, ROOT } from "./session.ts";

/** A file that the model is told of. */
export interface ToldFile {
  /** in the session's folder */
  path: string;
  filename: string;
  bytes: number;
  /** whether `/mnt/data/<filename>` leads to it, too */
  isLinked: boolean;
  isTooLarge: boolean;
}

export interface ToolSettings {
  /** seconds of a call */
  timeout: number;
  /** names of libraries besides Python's own, as the pool tells them; undefined if it did not */
  packages: readonly string[] | undefined;
  files: readonly ToldFile[];
}

/** The function that a model call offers, without its name. Not `strict`, which not every endpoint knows. */
export const codeTool = (settings: ToolSettings) => ({
  description: description(settings),
  parameters: {
    type: "object",
    properties: { code: { type: "string" } },
    required: ["code"],
    additionalProperties: false,
  },
});

function description({ timeout, packages, files }: ToolSettings): string {
  const sentences = [
    "Runs Python in a session that keeps variables between calls of this conversation. You get what the code prints, " +
      "the value of its last expression, or the traceback.",
    `At most ${timeout} s a call; no internet; no pip.`,
    imagesOf(packages),
    `Write files for the user to ${ROOT} and link them as [name](sandbox:${ROOT}/name).`,
    ...(packages === undefined ? [] : [availableOf(packages)]),
  ];
  return [sentences.join(" "), ...fileList(files)].join("\n");
}

/** A pool that does not tell its libraries is taken for one like Azure's, which has matplotlib. */
const imagesOf = (packages: readonly string[] | undefined): string =>
  packages === undefined || knownPackages(packages).includes("matplotlib")
    ? "Matplotlib figures are shown to the user by themselves."
    : "Images are shown to the user: the value of the last expression, if it has a _repr_png_ method.";

function availableOf(packages: readonly string[]): string {
  const known = knownPackages(packages);
  if (known.length > 0) return `Available: the standard library, ${known.join(", ")}.`;
  return "Available: the standard library; no numpy, no pandas, no matplotlib.";
}

/** Libraries that code of models uses; a pool has hundreds more that they depend on. By the names of their packages. */
const USUAL_PACKAGES = [
  ..."numpy pandas matplotlib scipy scikit-learn sympy seaborn statsmodels pillow openpyxl xlrd xlsxwriter".split(" "),
  ..."python-docx python-pptx pypdf pypdf2 pdfplumber reportlab beautifulsoup4 lxml requests networkx plotly".split(
    " ",
  ),
  ..."opencv-python opencv-python-headless tabulate pyyaml nltk numba shapely geopandas pyarrow".split(" "),
];

function knownPackages(packages: readonly string[]): string[] {
  const available = new Set(packages.map((name) => name.toLowerCase().replaceAll("_", "-")));
  return USUAL_PACKAGES.filter((name) => available.has(name));
}

/** Of all files' names; more are there without being told. Characters. */
const LONGEST_LIST = 4_000;

/** One line a file: its paths, what the user calls it and its size. */
export function fileList(files: readonly ToldFile[]): string[] {
  const lines: string[] = [];
  let length = 0;
  for (const [index, file] of files.entries()) {
    const line = fileLine(file);
    length += line.length;
    if (length > LONGEST_LIST) return [...lines, `- and ${files.length - index} more in ${ROOT}`];
    lines.push(line);
  }
  return lines.length > 0 ? ["Files:", ...lines] : [];
}

function fileLine({ path, filename, bytes, isLinked, isTooLarge }: ToldFile): string {
  const name = JSON.stringify(filename.slice(0, 200).toWellFormed());
  if (isTooLarge) return `- ${name}, ${size(bytes)}: too large for the session`;
  // A name that would break the line is not one that the model could use.
  const link = isLinked && !/\p{C}/u.test(filename) ? `, also ${ROOT}/${filename}` : "";
  return path === filename
    ? `- ${ROOT}/${path} (${size(bytes)})`
    : `- ${ROOT}/${path} (${name}, ${size(bytes)})${link}`;
}

function size(bytes: number): string {
  if (bytes < 1_000) return `${bytes} bytes`;
  if (bytes < 1_000_000) return `${Math.round(bytes / 1_000)} kB`;
  return `${Math.round(bytes / 1_000_000)} MB`;
}

/** Characters of the logs of a call that clients see, and of those that the model reads. */
export const LONGEST_LOGS = 100_000;
export const LONGEST_READ = 16_000;

export type CodeOutput = { type: "logs"; logs: string } | { type: "image"; image: { file_id: string } };

/** Of longer logs, so many characters: four fifths of the beginning, one of the end. */
export function shownLogs(logs: string, most = LONGEST_LOGS): string {
  const head = Math.floor((most * 4) / 5);
  return shortened(logs, head, most - head);
}

/** The outputs of a call as clients see them: logs, if there are any, then figures in the order drawn. */
export function outputsOf(shown: string, imageFileIds: readonly string[]): CodeOutput[] {
  const images = imageFileIds.map((file_id) => ({ type: "image" as const, image: { file_id } }));
  return shown === "" ? images : [{ type: "logs", logs: shown }, ...images];
}

/** The beginning and the end of a text that is longer than both, and how much is missing between. */
export function shortened(text: string, head: number, tail: number): string {
  if (text.length <= head + tail) return text;
  const [first, last] = [text.slice(0, head), text.slice(-tail)].map(withoutHalves);
  const missing = text.length - (first?.length ?? 0) - (last?.length ?? 0);
  return `${first}\n… ${missing} characters left out …\n${last}`;
}

/** Without half a surrogate pair at either end. */
const withoutHalves = (text: string) => text.replace(/^[\udc00-\udfff]/, "").replace(/[\ud800-\udbff]$/, "");

export interface ReadResult {
  logs: string;
  /** how many figures the user sees */
  images: number;
  /** how many more could not be shown: no PNG, too large, or too many */
  unshown: number;
  /** that the user can have by a link, by their paths in the session's folder */
  files: readonly ChangedFile[];
  /** more that could not be kept */
  lost: readonly ChangedFile[];
  /** whether variables of earlier calls are gone */
  restarted: boolean;
}

/** What the model reads of a call that ran, with at most so many characters of its logs. */
export function readResult({ logs, images, unshown, files, lost, restarted }: ReadResult, most = LONGEST_READ): string {
  const notes = [
    ...(restarted ? ["[session restarted: earlier variables are gone]"] : []),
    ...(images > 0 ? [`[${images === 1 ? "1 image was" : `${images} images were`} shown to the user]`] : []),
    ...(unshown > 0 ? [`[${unshown} ${unshown === 1 ? "image" : "images"} could not be shown]`] : []),
    ...(files.length > 0 ? [`[files: ${told(files)}]`] : []),
    ...(lost.length > 0 ? [`[too many or too large to be linked: ${told(lost)}]`] : []),
  ];
  const head = Math.floor(most / 2);
  const text = shortened(logs, head, most - head);
  if (text === "" && notes.length === 0) return NO_OUTPUT;
  return [...(text === "" ? [] : [text.replace(/\n$/, "")]), ...notes].join("\n");
}

const MOST_TOLD = 20;

/** Of a path that is told. Characters. */
const LONGEST_PATH = 300;

function told(files: readonly ChangedFile[]): string {
  const names = files.slice(0, MOST_TOLD).map((file) => `${ROOT}/${shortPath(file)} (${size(file.size)})`);
  const rest = files.length - names.length;
  return names.join(", ") + (rest > 0 ? ` and ${rest} more` : "");
}

const shortPath = ({ path }: ChangedFile) => (path.length > LONGEST_PATH ? `${path.slice(0, LONGEST_PATH)}…` : path);

const NO_OUTPUT = "[no output]";

/** The only output of a call that brought no code. */
export const NO_CODE = "No code was given.";

const RESTARTED = "The session was restarted: variables are gone, files you were given are back.";

/** In place of logs, for the user and the model alike. */
export const timedOut = (seconds: number) => `Timed out after ${seconds} s. ${RESTARTED}`;

export const died = (reason: "memory" | "crash") =>
  `${reason === "memory" ? "The code used too much memory." : "The code crashed Python."} ${RESTARTED}`;
