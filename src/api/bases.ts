/** The bases under which the API is served, and which operation belongs to which. */
import type { Face } from "./auth.ts";

export interface Base {
  name: "azure" | "openai" | "projects";
  /** of the path */
  prefix: string;
  face: Face;
  /** of the functions' names */
  suffix: string;
}

export const BASES: Base[] = [
  { name: "azure", prefix: "openai", face: "azure", suffix: "" },
  { name: "openai", prefix: "v1", face: "openai", suffix: "-v1" },
  // The form of Azure AI's agents. A project is a part of the path and nothing more: the key says whose data it is.
  { name: "projects", prefix: "api/projects/{project}", face: "azure", suffix: "-projects" },
];

/** Whether an operation exists under a base: those with `only` exist under that one alone. */
export const isServed = ({ only }: { only?: Base["name"] }, base: Base) => only === undefined || only === base.name;
