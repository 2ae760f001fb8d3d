/** What there is once per machine about processes. */
import { Console } from "../fs/console.ts";
import type { Kernel } from "../kernel.ts";
import { RandomBytes } from "../random.ts";
import { Clock } from "../time.ts";
import { FutexTable } from "./futex-table.ts";
import type { ThreadGroup } from "./thread-group.ts";

export class ProcessTable {
  readonly kernel: Kernel;
  /** Processes that have not been reaped, by pid. */
  readonly groups: Map<number, ThreadGroup> = new Map();
  /** The first process: adopts orphans, and its end is the machine's. */
  init: ThreadGroup | null = null;
  readonly futexes: FutexTable;
  readonly clock: Clock;
  readonly random: RandomBytes;
  readonly console: Console;
  /** Calls that are not implemented, by number: how often each was made. */
  readonly unknownCalls: Map<number, number> = new Map();
  /** Processes that ended by the out-of-memory killer. */
  oomKills = 0;

  /** @param stdin what the first process finds on descriptor 0 */
  constructor(kernel: Kernel, stdin: () => Uint8Array) {
    this.kernel = kernel;
    this.futexes = new FutexTable();
    this.clock = new Clock(kernel);
    this.random = new RandomBytes(kernel.options.seed);
    this.console = new Console(kernel.platform, stdin);
  }

  /** The group that a pid names: a process, or the process of a thread. */
  groupOfPid(pid: number): ThreadGroup | null {
    return this.groups.get(pid) ?? null;
  }

  /** A pid that neither a task nor an unreaped process has, or -1. */
  allocatePid(): number {
    for (let tries = this.groups.size; tries >= 0; tries--) {
      const pid = this.kernel.sched.allocPid();
      if (pid < 0 || !this.groups.has(pid)) return pid;
    }
    return -1;
  }
}
