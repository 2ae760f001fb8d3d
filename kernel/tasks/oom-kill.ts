/**
 * The out-of-memory killer (mm/oom_kill.c): when an allocation that may wait finds nothing, the process with the most
 * memory is killed, so that the machine survives. Deterministic: most pages first, the lowest pid among equals.
 *
 * Simplification: no scores set by the user, no reaper that takes the victim's memory before it has run, and the first
 * process is not spared, as it is often the only one.
 */
import type { Context, Work } from "../context.ts";
import { COST_STEP } from "../costs.ts";
import { memoryOf } from "../mm/memory.ts";
import { mmPgtablesBytes, mmRssAnon, mmRssShmem, mmTotalVm } from "../mm/mm-struct.ts";
import { OOM_KILL } from "../mm/vm-events.ts";
import { percpuOf } from "../percpu.ts";
import { TASK_RUNNING, TASK_UNINTERRUPTIBLE } from "../sched/task.ts";
import { scheduleTimeout } from "../sched/wait-queue.ts";
import { startGroupExit } from "../signal/send.ts";
import { SIGKILL } from "../signal/signal-numbers.ts";
import { type KPtr, NULL } from "../struct.ts";
import { processOf } from "./process-state.ts";
import type { ProcessTable } from "./process-table.ts";
import { mmOfGroup, type ThreadGroup } from "./thread-group.ts";

/** Pages to kilobytes. */
const PAGE_KB = 4;

/** out_of_memory(); false: nothing will be freed for this allocation, it must fail. May sleep. */
export function* outOfMemory(k: Context, table: ProcessTable): Work<boolean> {
  const task = k.task;
  if (k.point(COST_STEP)) yield;
  if (task === null || task.process === null) return false;
  if (processOf(task).isKilled || processOf(task).exiting) return false;
  if (![...table.groups.values()].some((group) => group.oomVictim && mmOfGroup(group) !== NULL)) {
    const victim = selectVictim(k, table);
    if (victim === null) return false;
    kill(k, table, victim);
    if (processOf(task).isKilled) return false;
  }
  task.state = TASK_UNINTERRUPTIBLE;
  yield* scheduleTimeout(k, k.cpu.clock + k.kernel.sched.tickCycles);
  task.state = TASK_RUNNING;
  return true;
}

function selectVictim(k: Context, table: ProcessTable): ThreadGroup | null {
  let victim: ThreadGroup | null = null;
  let most = 0;
  for (const group of table.groups.values()) {
    const mm = mmOfGroup(group);
    if (mm === NULL || group.groupExit) continue;
    const points = residentPages(k, mm) + mmPgtablesBytes.get(k.ram, mm) / 4096;
    if (points > most || (points === most && victim !== null && group.tgid < victim.tgid)) {
      victim = group;
      most = points;
    }
  }
  return victim;
}

/** __oom_kill_process(): the victim, and whoever else lives in its address space. */
function kill(k: Context, table: ProcessTable, victim: ThreadGroup): void {
  const { kernel, ram } = k;
  const mm = mmOfGroup(victim);
  const task = k.task!;
  const name = victim.threads[0]!.comm;
  const free = memoryOf(k).frames.freeFrames(
    kernel.platform.cpus.map((_cpu, index) => percpuOf(kernel, index)),
  );
  const rssKb = mmRssAnon.get(ram, mm) * PAGE_KB;
  const shmemKb = mmRssShmem.get(ram, mm) * PAGE_KB;
  const tablesKb = mmPgtablesBytes.get(ram, mm) / 1024;
  kernel.printk(`${task.comm} invoked oom-killer: order=0, oom_score_adj=0, free:${free * PAGE_KB}kB`);
  kernel.printk(
    `oom-kill:constraint=CONSTRAINT_NONE,nodemask=(null),global_oom,task=${name},pid=${victim.tgid},uid=0`,
  );
  kernel.printk(
    `Out of memory: Killed process ${victim.tgid} (${name}) total-vm:${mmTotalVm.get(ram, mm) * PAGE_KB}kB, ` +
      `anon-rss:${rssKb}kB, file-rss:0kB, shmem-rss:${shmemKb}kB, UID:0 pgtables:${tablesKb}kB oom_score_adj:0`,
  );
  memoryOf(k).events.count(k.cpu.id, OOM_KILL);
  victim.oomVictim = true;
  for (const group of table.groups.values()) {
    if (mmOfGroup(group) === mm) startGroupExit(k, group, SIGKILL);
  }
}

function residentPages(k: Context, mm: KPtr): number {
  return mmRssAnon.get(k.ram, mm) + mmRssShmem.get(k.ram, mm);
}
