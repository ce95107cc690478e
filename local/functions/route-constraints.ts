// The inline constraints of ASP.NET route templates: {id:int}, {name:length(1,64)}, {key:regex(^[a-z]+$)} …

export type Constraint = (value: string) => boolean;

type ConstraintFactory = (argument: string) => Constraint;

const factories: Record<string, ConstraintFactory> = {
  alpha: () => (value) => /^[a-z]*$/i.test(value),
  bool: () => (value) => /^(true|false)$/i.test(value),
  int: () => (value) => /^[+-]?\d+$/.test(value) && between(Number(value), -(2 ** 31), 2 ** 31 - 1),
  long: () => (value) => /^[+-]?\d+$/.test(value) && fitsLong(value),
  decimal: () => (value) => /^[+-]?\d+(\.\d+)?$/.test(value),
  double: () => isNumber,
  float: () => isNumber,
  guid: () => (value) => /^[0-9a-f]{8}-?([0-9a-f]{4}-?){3}[0-9a-f]{12}$/i.test(value),
  datetime: () => (value) => !Number.isNaN(Date.parse(value)),
  required: () => (value) => value.length > 0,
  minlength: (argument) => (value) => value.length >= Number(argument),
  maxlength: (argument) => (value) => value.length <= Number(argument),
  length: (argument) => {
    const [from, to] = twoNumbers(argument);
    return (value) => between(value.length, from, to ?? from);
  },
  min: (argument) => (value) => isNumber(value) && Number(value) >= Number(argument),
  max: (argument) => (value) => isNumber(value) && Number(value) <= Number(argument),
  range: (argument) => {
    const [from, to] = twoNumbers(argument);
    return (value) => isNumber(value) && between(Number(value), from, to ?? from);
  },
  regex: (argument) => {
    const pattern = new RegExp(argument, "i");
    return (value) => pattern.test(value);
  },
};

/**
 * The check for one constraint as it stands in a template, such as `int` or `range(1,9)`. Throws if there is no such.
 */
export function parseConstraint(text: string): Constraint {
  const [, name = "", argument = ""] = /^(\w+)(?:\((.*)\))?$/.exec(text) ?? [];
  const factory = factories[name.toLowerCase()];
  if (!factory) throw new Error(`There is no route constraint "${text}".`);
  return factory(argument);
}

function isNumber(value: string): boolean {
  return value.trim() !== "" && !Number.isNaN(Number(value));
}

function fitsLong(value: string): boolean {
  const number = BigInt(value.replace("+", ""));
  return number >= -(2n ** 63n) && number < 2n ** 63n;
}

function between(value: number, from: number, to: number): boolean {
  return value >= from && value <= to;
}

function twoNumbers(argument: string): [number, number | undefined] {
  const [first, second] = argument.split(",");
  return [Number(first), second === undefined ? undefined : Number(second)];
}
