/** Tasks and run queues of the machine. */
import type { Kernel } from "../kernel.ts";
import type { Task } from "./task.ts";

export class Scheduler {
  readonly kernel: Kernel;
  constructor(kernel: Kernel) {
    this.kernel = kernel;
  }
  taskByPid(pid: number): Task | null {
    void pid;
    return null;
  }
}
