import { badRequest } from "../errors.ts";

const COMPARISONS: Record<string, (difference: number) => boolean> = {
  "<": (difference) => difference < 0,
  "<=": (difference) => difference <= 0,
  ">": (difference) => difference > 0,
  ">=": (difference) => difference >= 0,
};

const ARITHMETIC: Record<string, (a: number, b: number) => number> = {
  "+": (a, b) => a + b,
  "-": (a, b) => a - b,
  "*": (a, b) => a * b,
  "/": (a, b) => a / b,
  "%": (a, b) => a % b,
  "&": (a, b) => a & b,
  "|": (a, b) => a | b,
  "^": (a, b) => a ^ b,
  "<<": (a, b) => a << b,
  ">>": (a, b) => a >> b,
  ">>>": (a, b) => a >>> b,
};

export const comparison = (operator: string) => COMPARISONS[operator];

export function arithmetic(operator: string): (a: number, b: number) => number {
  const apply = ARITHMETIC[operator];
  if (!apply) throw badRequest(`Syntax error, the operator '${operator}' is not known.`);
  return apply;
}
