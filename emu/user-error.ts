/**
 * What the user can cause: a wrong option, a malformed file, a machine that does not fit. It is a value that says
 * what is wrong, where, and what to do about it; only the command line prints it, as one line.
 */
export class UserError extends Error {
  /** The fact, without a full stop. */
  readonly what: string;
  /** The file, option or structure that it is about. */
  readonly where: string;
  /** What the user can do about it. */
  readonly hint: string;

  constructor(what: string, where: string, hint: string) {
    super(`${where}: ${what}; ${hint}`);
    this.name = "UserError";
    this.what = what;
    this.where = where;
    this.hint = hint;
  }

  /** One printable line. */
  get line(): string {
    return printable(this.message);
  }
}

/** Letters that may be wrong in a name, for each so many that are right. */
const LETTERS_PER_SLIP = 3;

/** A hint for a name that is not there: the one that was probably meant comes first. */
export function nearMiss(name: string, names: readonly string[], otherwise: string): string {
  let best = "";
  let least = Math.max(1, Math.floor(name.length / LETTERS_PER_SLIP)) + 1;
  for (const each of names) {
    const slips = distance(name.toLowerCase(), each.toLowerCase());
    if (slips < least) [best, least] = [each, slips];
  }
  return best === "" ? otherwise : `did you mean ${best}? Else ${otherwise}`;
}

/** Letters to insert, remove or replace that make one word of the other (Levenshtein). */
function distance(from: string, to: string): number {
  let row = Array.from({ length: to.length + 1 }, (_, at) => at);
  for (let left = 1; left <= from.length; left++) {
    const next = [left];
    for (let right = 1; right <= to.length; right++) {
      const replaced = row[right - 1]! + (from[left - 1] === to[right - 1] ? 0 : 1);
      next.push(Math.min(replaced, row[right]! + 1, next[right - 1]! + 1));
    }
    row = next;
  }
  return row[to.length]!;
}

/** Text as one line: control characters that came in with names, words or file contents are escaped. */
export function printable(text: string): string {
  // biome-ignore lint/suspicious/noControlCharactersInRegex: these are what must not reach the terminal
  return text.replace(/[\u0000-\u001f\u007f-\u009f\u2028\u2029]/g, (character) => {
    return `\\x${character.charCodeAt(0).toString(16).padStart(2, "0")}`;
  });
}
