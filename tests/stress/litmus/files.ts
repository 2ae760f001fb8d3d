/** The committed litmus files. */
import { readdirSync, readFileSync } from "node:fs";
import { type LitmusTest, readLitmusTest } from "../../../stress/litmus/index.ts";

export const LITMUS_FOLDER: string = new URL("../../litmus/", import.meta.url).pathname;

/** Every test of an architecture's folder, in the order of the file names. */
export function litmusTests(architecture: "x86-64" | "aarch64"): LitmusTest[] {
  const folder = `${LITMUS_FOLDER}${architecture}/`;
  return readdirSync(folder)
    .filter((name) => name.endsWith(".litmus"))
    .sort()
    .map((name) => readLitmusTest(name, readFileSync(`${folder}${name}`, "utf8")));
}
