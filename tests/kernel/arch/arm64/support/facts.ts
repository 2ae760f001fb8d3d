/** What the kernel's own headers say, recorded by facts/layout-facts.c; see there. */
import { readFileSync } from "node:fs";

const FACTS = JSON.parse(
  readFileSync(new URL("../facts/layout-facts.json", import.meta.url), "utf8"),
) as Record<string, number>;

export function fact(name: string): number {
  const value = FACTS[name];
  if (value === undefined) throw new Error(`no recorded fact ${name}`);
  return value;
}

/** Names of facts that begin so, without the beginning. */
export function factsNamed(beginning: string): string[] {
  return Object.keys(FACTS)
    .filter((name) => name.startsWith(beginning))
    .map((name) => name.slice(beginning.length));
}
