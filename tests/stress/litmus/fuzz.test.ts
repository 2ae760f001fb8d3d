import { readdirSync, readFileSync } from "node:fs";
import { describe, expect, it } from "vitest";
import { RandomNumbers } from "../../../emu/schedulers/index.ts";
import { UserError } from "../../../emu/user-error.ts";
import { readLitmusTest, runLitmusTest } from "../../../stress/litmus/index.ts";
import { LITMUS_FOLDER } from "./files.ts";

const FILES = 300;
const WORD = /(\s+|[|;,[\]()=:])/;

const texts = ["x86-64/", "aarch64/"].flatMap((folder) =>
  readdirSync(LITMUS_FOLDER + folder)
    .filter((name) => name.endsWith(".litmus"))
    .sort()
    .map((name) => readFileSync(LITMUS_FOLDER + folder + name, "utf8")),
);
const words = texts.flatMap((text) => text.split(WORD)).filter((word) => word !== "");

/** One to three words are dropped, added or replaced by others of the files. */
function damaged(random: RandomNumbers): string {
  let text = texts[random.below(texts.length)]!;
  for (let count = 1 + random.below(3); count > 0; count--) {
    const parts = text.split(WORD).filter((word) => word !== "");
    const added = [words[random.below(words.length)]!].slice(random.below(2));
    parts.splice(random.below(parts.length), random.below(2), ...added);
    text = parts.join("");
  }
  return text;
}

describe("damaged litmus files", () => {
  it("are run, or answered by a user's error", () => {
    const random = new RandomNumbers(1);
    let run = 0;
    for (let i = 0; i < FILES; i++) {
      const text = damaged(random);
      try {
        const test = readLitmusTest("f", text);
        runLitmusTest(test, { vacuity: "unchecked", bounds: { maxStates: 100, maxDepth: 200 } });
        run++;
      } catch (error) {
        expect(error, text).toBeInstanceOf(UserError);
      }
    }
    expect(run).toBeGreaterThan(FILES / 20);
    expect(run).toBeLessThan(FILES);
  });
});
