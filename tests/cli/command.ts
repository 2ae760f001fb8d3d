/** Runs the built `faultline` command as a user does. */
import { type ChildProcess, spawn } from "node:child_process";
import { existsSync, readdirSync, statSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";

const ROOT = fileURLToPath(new URL("../..", import.meta.url));
const MAIN = join(ROOT, "dist/emu/cli/main.js");

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

/** @throws Error if the build is older than the sources */
export function faultline(args: readonly string[], options: CommandOptions = {}): Promise<Ended> {
  checkBuild();
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

let checked = false;

function checkBuild(): void {
  if (checked) return;
  const newest = Math.max(...["mmu", "emu", "kernel"].map((folder) => newestChange(join(ROOT, folder))));
  if (!existsSync(MAIN) || statSync(MAIN).mtimeMs < newest) {
    throw new Error("the build in dist/ is missing or older than the sources: npm run build");
  }
  checked = true;
}

function newestChange(folder: string): number {
  return readdirSync(folder, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile() && entry.name.endsWith(".ts"))
    .reduce((newest, entry) => Math.max(newest, statSync(join(entry.parentPath, entry.name)).mtimeMs), 0);
}
