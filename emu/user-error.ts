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

/** Text as one line: control characters that came in with names, words or file contents are escaped. */
export function printable(text: string): string {
  // biome-ignore lint/suspicious/noControlCharactersInRegex: these are what must not reach the terminal
  return text.replace(/[\u0000-\u001f\u007f-\u009f\u2028\u2029]/g, (character) => {
    return `\\x${character.charCodeAt(0).toString(16).padStart(2, "0")}`;
  });
}
