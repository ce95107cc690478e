/** Calls on files and uploads, each with what it must answer as things stand. */
import { createHash } from "node:crypto";
import { expect } from "vitest";
import type { List } from "../../../src/resources/common.ts";
import type { FileObject } from "../../../src/resources/file.ts";
import type { Upload, UploadPart } from "../../../src/resources/upload.ts";
import type { Answer } from "../harness.ts";
import { type KnownFile, type KnownUpload, refusal } from "./model.ts";
import { expectRefused, expectTaken, type FilesWorld } from "./world.ts";

const NAMES = ["a.txt", "b.md", "c.html", "d.csv", "e.png", "F.TXT", "g.exe", "h"];
/** "": a name without an ending. */
const ASSISTANTS = /^(txt|md|html|csv|png|)$/;

const noFile = (id: string) => refusal(404, `No such File object: ${id}`, "id");

/** What is refused about a new file's purpose and name. */
function refusedDetails(purpose: string, filename: string) {
  if (purpose === "nothing") return refusal(400, /^'nothing' is not one of \['fine-tune', /, "purpose");
  const extension = filename.includes(".") ? filename.slice(filename.lastIndexOf(".") + 1).toLowerCase() : "";
  const isAllowed =
    purpose === "user_data" || (purpose === "vision" ? extension === "png" : ASSISTANTS.test(extension));
  return isAllowed ? undefined : refusal(400, new RegExp(`^Invalid extension ${extension}\\. Supported formats: "`));
}

export class FilesAndUploads {
  readonly #world: FilesWorld;

  constructor(world: FilesWorld) {
    this.#world = world;
  }

  #details() {
    const { chance, pick } = { chance: this.#world.chance.bind(this.#world), pick: this.#world.pick.bind(this.#world) };
    const filename = chance(0.75) ? "a.txt" : (pick(NAMES) ?? "");
    const purpose = chance(0.85) ? "assistants" : (pick(["vision", "user_data", "nothing"]) ?? "");
    return { filename, purpose };
  }

  #text(): string {
    if (this.#world.chance(0.12)) return "  \n";
    return `The word number${this.#world.next()} is here. `.repeat(1 + Math.floor(this.#world.random() ** 3 * 300));
  }

  async create(): Promise<void> {
    const { filename, purpose } = this.#details();
    const text = this.#world.chance(0.05) ? "" : this.#text();
    const form = new FormData();
    const parts = [() => form.set("purpose", purpose), () => form.set("file", new Blob([text]), filename)];
    for (const add of this.#world.chance(0.5) ? parts : parts.toReversed()) add();
    const order = this.#world.next();
    const answer = await this.#world.form("/files", form);
    const refused = refusedDetails(purpose, filename) ?? (text === "" ? refusal(400, "File is empty.") : undefined);
    if (refused !== undefined) return expectRefused(answer, refused);
    const { id } = expectTaken<FileObject>(answer);
    const file: KnownFile = { id, purpose, filename, text, order, isDeleted: false };
    expectFile(answer.body, file);
    this.#world.files.push(file);
  }

  async look(file: KnownFile): Promise<void> {
    const answer = await this.#world.call("GET", `/files/${file.id}`);
    if (file.isDeleted) return expectRefused(answer, noFile(file.id));
    expectFile(expectTaken(answer), file);
    const { status, text } = await this.#world.content(`/files/${file.id}/content`);
    expect({ status, text }).toEqual({ status: 200, text: file.text });
  }

  /** `isRaced`: another call deletes it as well. */
  async delete(file: KnownFile, isRaced = false): Promise<void> {
    const { isDeleted } = file;
    const answer = await this.#world.call("DELETE", `/files/${file.id}`);
    const isRefused = isRaced ? answer.status === 404 : isDeleted;
    if (isRefused) return expectRefused(answer, noFile(file.id));
    expect(expectTaken(answer)).toEqual({ id: file.id, object: "file", deleted: true });
    this.#isGone(file);
  }

  #isGone(file: KnownFile): void {
    file.isDeleted = true;
    for (const { files } of this.#world.stores) {
      const attached = files.get(file.id);
      if (attached !== undefined) attached.isFading = true;
    }
  }

  async list(): Promise<void> {
    const purpose = this.#world.pick([undefined, "assistants", "vision"]);
    const query = purpose === undefined ? "" : `&purpose=${purpose}`;
    const { data } = expectTaken<List<FileObject>>(await this.#world.call("GET", `/files?limit=10000${query}`));
    const own = new Set(this.#world.files.map(({ id }) => id));
    const alive = this.#world.files.filter(
      (file) => !file.isDeleted && (purpose === undefined || file.purpose === purpose),
    );
    const expected = alive.toSorted((a, b) => b.order - a.order).map(({ id }) => id);
    expect(data.map(({ id }) => id).filter((id) => own.has(id))).toEqual(expected);
  }

  // ---------------------------------------------------------------- uploads

  async begin(): Promise<void> {
    const { filename, purpose } = this.#details();
    const bytes = 1 + Math.floor(this.#world.random() * 12);
    const order = this.#world.next();
    const answer = await this.#world.call("POST", "/uploads", { filename, purpose, bytes, mime_type: "text/plain" });
    const refused = refusedDetails(purpose, filename);
    if (refused !== undefined) return expectRefused(answer, refused);
    const { id, object, status: begun } = expectTaken<Upload>(answer);
    expect({ object, begun }).toEqual({ object: "upload", begun: "pending" });
    const status = "pending";
    const upload: KnownUpload = { id, bytes, filename, order, parts: [], status, completedWith: [], file: undefined };
    if (purpose === "assistants") this.#world.uploads.push(upload);
  }

  async addPart(upload: KnownUpload): Promise<void> {
    const left = upload.bytes - upload.parts.reduce((sum, { text }) => sum + text.length, 0);
    const text = "x y z ".repeat(3).slice(0, this.#world.chance(0.7) ? Math.max(1, left) : 1);
    const form = new FormData();
    form.set("data", new Blob([text]), "part");
    const answer = await this.#world.form(`/uploads/${upload.id}/parts`, form);
    if (upload.status !== "pending") return expectRefused(answer, over(upload));
    const { id, object, upload_id } = expectTaken<UploadPart>(answer);
    expect({ object, upload_id }).toEqual({ object: "upload.part", upload_id: upload.id });
    upload.parts.push({ id, text });
  }

  async cancel(upload: KnownUpload): Promise<void> {
    const answer = await this.#world.call("POST", `/uploads/${upload.id}/cancel`);
    if (upload.status !== "pending") return expectRefused(answer, over(upload));
    expect(expectTaken<Upload>(answer)).toMatchObject({ id: upload.id, status: "cancelled" });
    upload.status = "cancelled";
  }

  async complete(upload: KnownUpload, isTwice = false): Promise<void> {
    const { parts, refused, md5 } = this.#completion(upload);
    const body = { part_ids: parts, ...(md5 === undefined ? {} : { md5 }) };
    const path = `/uploads/${upload.id}/complete`;
    const calls = Array.from({ length: isTwice ? 2 : 1 }, () => this.#world.call("POST", path, body));
    for (const answer of await Promise.all(calls)) await this.#completed(upload, parts, answer, refused);
  }

  async #completed(
    upload: KnownUpload,
    parts: string[],
    answer: Answer,
    refused: ReturnType<typeof refusal> | undefined,
  ): Promise<void> {
    const isRepeated = upload.status === "completed" && upload.completedWith.join() === parts.join();
    if (upload.status !== "pending" && !isRepeated) return expectRefused(answer, over(upload));
    if (refused !== undefined && !isRepeated) return expectRefused(answer, refused);
    const { status, file } = expectTaken<Upload>(answer);
    expect(status).toBe("completed");
    if (isRepeated) return expect(file?.id).toBe(upload.file?.id);
    const text = parts.map((id) => upload.parts.find((part) => part.id === id)?.text ?? "").join("");
    const known: KnownFile = {
      ...{ id: file?.id ?? "", purpose: "assistants", filename: upload.filename, text, order: upload.order },
      isDeleted: false,
    };
    expectFile(file, known);
    Object.assign(upload, { status: "completed", completedWith: parts, file: known });
    this.#world.files.push(known);
  }

  /** Mostly all parts in some order. */
  #completion(upload: KnownUpload) {
    const all = this.#world.some(upload.parts, upload.parts.length);
    const rest = upload.parts.filter((part) => !all.includes(part));
    const chosen = this.#world.chance(0.8) ? [...all, ...rest] : all;
    const parts =
      this.#world.chance(0.3) && upload.status === "completed" ? [...upload.completedWith] : chosen.map(({ id }) => id);
    if (this.#world.chance(0.1)) parts.push(this.#world.pick(["part_none", ...parts]) ?? "");
    const text = chosen.map((part) => part.text).join("");
    const right = createHash("md5").update(text).digest("hex");
    const md5 = this.#world.pick([undefined, undefined, right, right.toUpperCase(), "0".repeat(32)]);
    return { parts, md5, refused: this.#refusedCompletion(upload, parts, md5, right) };
  }

  #refusedCompletion(upload: KnownUpload, parts: string[], md5: string | undefined, right: string) {
    const wrong = parts.find((id, at) => parts.indexOf(id) < at || !upload.parts.some((part) => part.id === id));
    if (wrong !== undefined) return refusal(400, `Invalid 'part_ids': no part found with id '${wrong}'.`, "part_ids");
    const sum = upload.parts.filter(({ id }) => parts.includes(id)).reduce((bytes, { text }) => bytes + text.length, 0);
    if (sum !== upload.bytes) {
      return refusal(400, `Upload has ${sum} bytes in its parts, but ${upload.bytes} were announced.`, "bytes");
    }
    if (md5 === undefined || md5.toLowerCase() === right) return undefined;
    return refusal(400, "The md5 checksum of the uploaded parts does not match.", "md5");
  }
}

const over = ({ id, status }: KnownUpload) =>
  refusal(400, `Upload ${id} has status '${status}' and cannot be modified.`);

function expectFile(object: unknown, { id, purpose, filename, text }: KnownFile): void {
  const bytes = Buffer.byteLength(text);
  expect(object).toMatchObject({ id, object: "file", purpose, filename, bytes, status: "processed" });
}
