/** Runs the command's code in the process of the tests, for what ends before a guest starts. */
import { vi } from "vitest";
import { runCommandLine } from "../../emu/cli/command-line.ts";

export interface Answer {
  readonly status: number | string | null | undefined;
  readonly stdout: string;
  readonly stderr: string;
}

export async function commandLine(words: readonly string[]): Promise<Answer> {
  const written = { stdout: "", stderr: "" };
  const spies = (["stdout", "stderr"] as const).map((stream) =>
    vi.spyOn(process[stream], "write").mockImplementation((text) => {
      written[stream] += String(text);
      return true;
    }),
  );
  const before = process.exitCode;
  process.exitCode = undefined;
  try {
    await runCommandLine(words);
    return { status: process.exitCode, ...written };
  } finally {
    process.exitCode = before;
    for (const spy of spies) spy.mockRestore();
  }
}
