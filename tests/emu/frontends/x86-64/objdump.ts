/** Brings objdump's text into the form that the disassembler prints. */

const NOISE =
  /^(rex(\.[WRXB]+)?|ds|cs|es|ss|fs|gs|data16|addr32|rep(n?z)?|lock|bnd|notrack|xacquire|xrelease)$/;
const STRING = /\b(movs|stos|lods|ins|outs|cmps|scas) /;

/** Drops comments, spacing and the prefixes that have no effect on this instruction. */
export function normalise(text: string): string {
  const words = text
    .replace(/\s+#.*$/, "")
    .replace(/\s+<.*$/, "")
    .trim()
    .split(/\s+/);
  const isString = STRING.test(words.join(" "));
  const kept: string[] = [];
  while (words.length > 1 && NOISE.test(words[0]!)) {
    const word = words.shift()!;
    if (word === "lock" || (isString && word.startsWith("rep"))) kept.push(word);
  }
  return [...kept, ...words].join(" ");
}

export interface Golden {
  readonly bytes: string;
  readonly lengthBytes: number;
  readonly text: string;
}

/** Lines `bytes TAB length TAB text`; others are comments. */
export function readGoldens(file: string): Golden[] {
  const goldens: Golden[] = [];
  for (const line of file.split("\n")) {
    const [bytes, length, text] = line.split("\t");
    if (bytes && text) goldens.push({ bytes, lengthBytes: Number(length), text });
  }
  return goldens;
}
