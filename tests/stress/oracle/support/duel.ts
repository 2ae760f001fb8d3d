/**
 * Two tasks of one address space on two cores: one faults, and from the n-th point of its attempt without mmap_lock the
 * other does what takes the mapping away, as far as it gets while the first waits.
 */
import type { Context, Work } from "../../../../kernel/context.ts";
import type { SpfMm } from "../../../../kernel/mm/designs/index.ts";
import { ObservedMemory } from "../../../../mmu/index.ts";
import { type OraclePart, type OracleWorld, observerOf } from "../../../../stress/oracle/part.ts";
import type { Violation } from "../../../../stress/oracle/violation.ts";
import { type KernelCode, MmMachine, userFault } from "../../../kernel/mm/support/mm-machine.ts";
import { FavourScheduler } from "./favour-scheduler.ts";

export interface Duel {
  readonly design: SpfMm;
  /** Points of the attempt before the other goes on. */
  readonly points: number;
  /** Makes the mapping. */
  readonly before: KernelCode;
  /** The faulting page. */
  readonly page: number;
  readonly kind: "read" | "write";
  /** Takes the mapping away. */
  readonly after: KernelCode;
  part(world: OracleWorld): OraclePart;
}

/** @returns what was reported */
export function duel(options: Duel): Violation[] {
  const { design, points } = options;
  let scheduler: FavourScheduler | undefined;
  const violations: Violation[] = [];
  const machine = new MmMachine({
    design,
    cpus: 2,
    scheduler: (cores) => {
      scheduler = new FavourScheduler(cores);
      return scheduler;
    },
    memory: (ramBytes, engineBytes) => new ObservedMemory(ramBytes, engineBytes),
  });
  const { kernel, memory } = machine;
  const part = options.part({ kernel, memory, report: (violation) => violations.push(violation) });
  kernel.observer = observerOf([part.events]);
  if ("access" in part) (machine.machine.ram as ObservedMemory).sink = part as never;
  let ready = false;
  let attempting = false;
  let writer = 0;
  const { attempt } = design;
  design.attempt = (k, f) => {
    if (ready && !attempting) {
      attempting = true;
      scheduler!.favourAfter(points, k.cpu.id, writer);
    }
    return attempt.call(design, k, f);
  };
  machine.run(
    function* (k) {
      writer = k.cpu.id;
      yield* options.before(k);
      ready = true;
      yield* waitUntil(k, () => attempting);
      yield* options.after(k);
    },
    function* (k) {
      yield* waitUntil(k, () => ready);
      yield* userFault(k, options.page, options.kind);
    },
  );
  return violations;
}

export function* waitUntil(k: Context, happened: () => boolean): Work {
  while (!happened()) if (k.point(20)) yield;
}
