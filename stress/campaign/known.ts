/**
 * Defects of published designs, as published: reports that are right. docs/FINDINGS.md has the reasoning and the replay
 * file of each. A report passes only if its signature is one of these, for that design.
 */
interface KnownDefect {
  /** Its heading in docs/FINDINGS.md. */
  readonly name: string;
  readonly design: string;
  readonly signature: RegExp;
}

const KNOWN: readonly KnownDefect[] = [];

/** The name of the known defect that a report shows, or null. */
export function knownDefect(design: string, signature: string): string | null {
  return KNOWN.find((known) => known.design === design && known.signature.test(signature))?.name ?? null;
}
