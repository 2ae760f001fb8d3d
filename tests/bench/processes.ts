/** What only a process of its own shows: the time until a guest runs, and host memory. */
import { spawn } from "node:child_process";
import { fileURLToPath } from "node:url";
import { defaultModels } from "../../emu/cli/options.ts";
import type { Measurement } from "./row.ts";

const FAULTLINE: string = fileURLToPath(new URL("./faultline.js", import.meta.url));
const MEMORY_CHILD: string = fileURLToPath(new URL("./memory-child.js", import.meta.url));

const ARCHITECTURES: readonly string[] = defaultModels().map(({ arch }) => arch);
const SAMPLES = 5;

/**
 * From process start to the first byte that `hello` writes: the first user instruction and a little more. The whole
 * command is measured, module loading and option parsing included.
 */
function boot(arch: string, cpus: number, asked: number): Measurement {
  return {
    name: arch === ARCHITECTURES[0] ? `boot-${cpus}` : `boot-${cpus}-${arch}`,
    what: `process start to output of the first program, ${cpus} cores, ${arch}`,
    unit: "s",
    asked,
    goal: null,
    better: "less",
    samples: SAMPLES,
    sample: () => firstOutput(["run", "--arch", arch, "--cpus", String(cpus), "hello"]),
  };
}

function firstOutput(args: readonly string[]): Promise<number> {
  return new Promise((resolve, reject) => {
    const from = process.hrtime.bigint();
    const child = spawn(process.execPath, [FAULTLINE, ...args], { stdio: ["ignore", "pipe", "inherit"] });
    let seconds: number | null = null;
    child.stdout.on("data", () => {
      seconds ??= Number(process.hrtime.bigint() - from) / 1e9;
    });
    child.once("error", reject);
    child.once("close", (status) => {
      if (status === 0 && seconds !== null) resolve(seconds);
      else reject(new Error(`faultline ${args.join(" ")}: status ${status}`));
    });
  });
}

/** Guest RAM of the memory measurement. */
export const MEASURED_RAM_BYTES: number = 256 * 2 ** 20;

const memory: Measurement = {
  name: "memory",
  what: "host memory above guest RAM, 4 cores, guest takes all its RAM",
  unit: "MB",
  asked: 150,
  goal: null,
  better: "less",
  samples: 3,
  sample: () =>
    new Promise((resolve, reject) => {
      const child = spawn(process.execPath, [MEMORY_CHILD], { stdio: ["ignore", "pipe", "inherit"] });
      let text = "";
      child.stdout.on("data", (bytes: Buffer) => {
        text += bytes.toString();
      });
      child.once("error", reject);
      child.once("close", () => resolve((Number(text) - MEASURED_RAM_BYTES) / 1e6));
    }),
};

export const PROCESSES: readonly Measurement[] = [
  ...ARCHITECTURES.flatMap((arch) => [boot(arch, 4, 1), boot(arch, 64, 2)]),
  memory,
];
