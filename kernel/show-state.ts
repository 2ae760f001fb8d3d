/** Who is where: all tasks with their states and locks, for reports about a machine that no longer moves (show_state). */
import type { Context } from "./context.ts";
import type { Kernel } from "./kernel.ts";
import { heldLocksText } from "./locking/lockdep.ts";
import {
  TASK_DEAD,
  TASK_INTERRUPTIBLE,
  TASK_RUNNING,
  TASK_UNINTERRUPTIBLE,
  type Task,
} from "./sched/task.ts";
import type { KPtr } from "./struct.ts";

/** One paragraph per task: those on a core first, then the others by pid. */
export function showState(kernel: Kernel): string {
  const lines: string[] = [];
  const running = new Set<Task>();
  for (const queue of kernel.sched.queues) {
    running.add(queue.current);
    lines.push(`core ${queue.cpu}: ${describe(kernel, queue.current)}`);
  }
  for (const task of kernel.sched.tasks()) {
    if (!running.has(task)) lines.push(describe(kernel, task));
  }
  return lines.join("\n");
}

function describe(kernel: Kernel, task: Task): string {
  const k = task.context;
  const where =
    k.frames.length === 0 ? "user mode or on its way there" : `in the kernel${trapText(kernel, k)}`;
  const locks = k.held.count === 0 ? "" : `\n  ${heldLocksText(k).replaceAll("\n", "\n  ")}`;
  const who = task.idle ? task.comm : `task:${task.comm} pid:${task.pid} state:${stateLetter(task.state)}`;
  const doing = task.idle && k.frames.length === 0 ? "idle" : where;
  return `${who} ${doing}${locks}`;
}

/** Where the outermost trap in progress came from. */
function trapText(kernel: Kernel, k: Context): string {
  const frame = k.frames.find((at) => at !== 0);
  if (frame === undefined) return "";
  return `, from ${kernel.arch.entry.describeFrame(kernel, frame as KPtr).split("\n")[0]}`;
}

/** As ps prints it. */
function stateLetter(state: number): string {
  if (state === TASK_RUNNING) return "R";
  if ((state & TASK_DEAD) !== 0) return "X";
  if ((state & TASK_INTERRUPTIBLE) !== 0) return "S";
  if ((state & TASK_UNINTERRUPTIBLE) !== 0) return "D";
  return "?";
}
