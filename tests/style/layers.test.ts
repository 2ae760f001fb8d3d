import { posix } from "node:path";
import { describe, expect, it } from "vitest";
import { type Source, sources } from "./sources.ts";

/** Layer of a path: imports may point to lower numbers or stay. */
function layer(path: string): number {
  if (path.startsWith("mmu/")) return 0;
  if (path.startsWith("emu/cli/")) return 4;
  if (path.startsWith("emu/")) return 1;
  return path.startsWith("stress/") ? 3 : 2;
}

function imports(source: Source): string[] {
  return [...source.text.matchAll(/(?:from|import)\s+"(\.[^"]+)"/g)].map((match) =>
    posix.join(posix.dirname(source.path), match[1]!),
  );
}

const all = sources("mmu", "emu", "kernel", "stress");

describe("imports point one way", () => {
  it("mmu <- emu <- kernel <- stress <- emu/cli", () => {
    const uphill = all.flatMap((source) =>
      imports(source)
        .filter((target) => layer(target) > layer(source.path))
        .map((target) => `${source.path} imports ${target}`),
    );
    expect(uphill).toEqual([]);
  });

  it("other layers are imported through their public face", () => {
    const inside = all.flatMap((source) =>
      imports(source)
        .filter((target) => layer(target) < layer(source.path))
        .filter((target) => !isPublicFace(source.path, target))
        .map((target) => `${source.path} imports ${target}`),
    );
    expect(inside).toEqual([]);
  });

  it("the kernel sees the emulator through the hardware interface alone", () => {
    const seen = all.flatMap((source) =>
      source.path.startsWith("kernel/")
        ? imports(source)
            .filter((target) => target.startsWith("emu/"))
            .filter((target) => !KERNEL_MAY_SEE.includes(target))
            .map((target) => `${source.path} imports ${target}`)
        : [],
    );
    expect(seen).toEqual([]);
  });

  it("no frontend imports another, and backends and frontends meet in the IR alone", () => {
    const wrong = all.flatMap((source) => {
      const own = /^emu\/(frontends|backends)\/([^/]+)\//.exec(source.path);
      if (own === null) return [];
      return imports(source)
        .filter((target) => {
          const other = /^emu\/(frontends|backends)\/([^/]+)\//.exec(target);
          return other !== null && (other[1] !== own[1] || other[2] !== own[2]);
        })
        .map((target) => `${source.path} imports ${target}`);
    });
    expect(wrong).toEqual([]);
  });

  it("neutral code names no architecture", () => {
    const neutral =
      /^(kernel\/(mm|locking|sched|syscalls|signal|fs)\/|kernel\/[^/]+\.ts|emu\/(ir|backends|schedulers|cores)\/|stress\/(world|campaign|oracle|story|exhaustive)\/)/;
    const named = all
      .filter((source) => neutral.test(source.path))
      .filter((source) => /["'](x86-64|x86_64|aarch64|arm64|ppc64(le)?|powerpc)["']/.test(source.text))
      .map((source) => source.path);
    expect(named).toEqual([]);
  });
});

/** The one file of emu/ that the kernel sees of the hardware, and the loader's description of a program with its error. */
const KERNEL_MAY_SEE = ["emu/hardware.ts", "emu/loader/index.ts", "emu/user-error.ts"];

function isPublicFace(from: string, target: string): boolean {
  if (from.startsWith("emu/cli/") && target.startsWith("emu/")) return true;
  // What judges a machine drives it: folders through their index, and the files beside them.
  if (from.startsWith("stress/") && /^emu\/([^/]+|machines\/model)\.ts$/.test(target)) return true;
  if (from.startsWith("kernel/") && target.startsWith("emu/")) return KERNEL_MAY_SEE.includes(target);
  return posix.basename(target) === "index.ts";
}
