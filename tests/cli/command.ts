/** Runs the built `faultline` command as a user does. */
import { type ChildProcess, spawn } from "node:child_process";
import { fileURLToPath } from "node:url";

/** Brought up to date by tests/build.ts. */
const MAIN = fileURLToPath(new URL("../../dist/bundle/faultline.js", import.meta.url));

export interface Ended {
  readonly status: number | null;
  readonly signal: string | null;
  readonly stdout: string;
  readonly stdoutBytes: number;
  readonly stderr: string;
}

export interface CommandOptions {
  readonly input?: string;
  readonly env?: Record<string, string>;
  /** Called with the first bytes of standard output. */
  readonly onOutput?: (child: ChildProcess) => void;
}

export function faultline(args: readonly string[], options: CommandOptions = {}): Promise<Ended> {
  const child = spawn(process.execPath, [MAIN, ...args], { env: { ...process.env, ...options.env } });
  const stdout: Buffer[] = [];
  const stderr: Buffer[] = [];
  child.stdout.on("data", (bytes: Buffer) => {
    if (stdout.length === 0) options.onOutput?.(child);
    stdout.push(bytes);
  });
  child.stderr.on("data", (bytes: Buffer) => stderr.push(bytes));
  // A command that ends before it has read its input is no error of the test's.
  child.stdin.on("error", () => {});
  child.stdin.end(options.input ?? "");
  return new Promise((resolve, reject) => {
    child.once("error", reject);
    child.once("close", (status, signal) => {
      resolve({
        status,
        signal,
        stdout: Buffer.concat(stdout).toString("utf8"),
        stdoutBytes: stdout.reduce((sum, bytes) => sum + bytes.length, 0),
        stderr: Buffer.concat(stderr).toString("utf8"),
      });
    });
  });
}
