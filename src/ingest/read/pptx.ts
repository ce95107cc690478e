/** PowerPoint's presentations: the text of their slides, in the order in which they are shown, each with its notes. */
import path from "node:path";
import { type Handler, Parser } from "htmlparser2";
import { FILE_NOT_PARSED } from "../../resources/file-errors.ts";
import { UnreadableFile } from "./unreadable.ts";
import { isXml, unzipped } from "./zip.ts";

type Parts = Map<string, Uint8Array>;

const PRESENTATION = "ppt/presentation.xml";

export function* readPptx(bytes: Uint8Array): Generator<string> {
  const parts: Parts = unzipped(bytes, (name) => name.startsWith("ppt/") && isXml(name));
  if (!parts.has(PRESENTATION)) throw new UnreadableFile(FILE_NOT_PARSED, "no presentation");
  for (const slide of slidesOf(parts)) {
    const notes = [...relationsOf(parts, slide).values()].filter((target) => /\/notesSlides\/[^/]+$/.test(target));
    yield `${[slide, ...notes].map((name) => textOfPart(parts, name)).join("")}\n`;
  }
}

/** Names of the slides' parts. The presentation lists the ids of its relations to them, in their order. */
function slidesOf(parts: Parts): string[] {
  const relations = relationsOf(parts, PRESENTATION);
  const slides: string[] = [];
  parse(parts, PRESENTATION, {
    onopentag(name, attributes) {
      const slide = name === "p:sldId" ? relations.get(attributes["r:id"] ?? "") : undefined;
      if (slide !== undefined && parts.has(slide)) slides.push(slide);
    },
  });
  return [...new Set(slides)];
}

/** The parts that a part refers to, by the ids of its relations. */
function relationsOf(parts: Parts, name: string): Map<string, string> {
  const folder = path.posix.dirname(name);
  const relations = new Map<string, string>();
  parse(parts, `${folder}/_rels/${path.posix.basename(name)}.rels`, {
    onopentag(tag, { Id: id, Target: target }) {
      if (tag !== "Relationship" || id === undefined || target === undefined) return;
      relations.set(id, target.startsWith("/") ? target.slice(1) : path.posix.join(folder, target));
    },
  });
  return relations;
}

/** Fields whose text says nothing: numbers of slides and dates. */
const FIELDS = /^(slidenum|datetime)/;

/** Paragraphs as lines, rows of tables as one line each with bars between the cells. */
function textOfPart(parts: Parts, name: string): string {
  let text = "";
  let cell: string | undefined;
  let row: string[] = [];
  let isText = false;
  let isField = false;
  const add = (piece: string) => {
    if (cell === undefined) text += piece;
    else cell += piece;
  };
  parse(parts, name, {
    onopentag(tag, { type = "" }) {
      if (tag === "a:t") isText = !isField;
      else if (tag === "a:fld") isField = FIELDS.test(type);
      else if (tag === "a:br") add("\n");
      else if (tag === "a:tc") cell = "";
    },
    ontext(piece) {
      if (isText) add(piece);
    },
    onclosetag(tag) {
      if (tag === "a:t") isText = false;
      else if (tag === "a:fld") isField = false;
      else if (tag === "a:p") add("\n");
      else if (tag === "a:tc") {
        row.push(cell?.trim().replace(/\s+/g, " ") ?? "");
        cell = undefined;
      } else if (tag === "a:tr") {
        add(`${row.join(" | ")}\n`);
        row = [];
      }
    },
  });
  return text.replace(/\n{2,}/g, "\n");
}

/** A part that is not there has nothing. Entities that a document defines itself stay as they are. */
function parse(parts: Parts, name: string, handler: Partial<Handler>): void {
  const bytes = parts.get(name);
  if (bytes === undefined) return;
  const parser = new Parser(handler, { xmlMode: true });
  parser.end(new TextDecoder().decode(bytes));
}
