/**
 * Processes as plain data. A machine is saved only while every task is in user mode, so there are no calls in progress,
 * no waiters and no ending threads; there may be processes that nobody has waited for.
 */
import { FileTable, type OpenFile } from "../fs/file-table.ts";
import { type SignalAction, SignalActions } from "../signal/signal-action.ts";
import type { SignalInfo } from "../signal/signal-info.ts";
import { kptrOf } from "../struct.ts";
import { ProcessState, processOf, type SavedProcessState } from "./process-state.ts";
import type { ProcessTable } from "./process-table.ts";
import { type ProgramImage, ThreadGroup } from "./thread-group.ts";

interface SavedGroup {
  tgid: number;
  parent: number;
  shared: SignalInfo[];
  exitSignal: number;
  image: ProgramImage;
  /** Soft and hard; -1: no limit. */
  limits: [number, number][];
  startCycles: number;
  fields: Pick<ThreadGroup, (typeof GROUP_FIELDS)[number]>;
}

interface SavedTask {
  state: SavedProcessState;
  /** Indices in `actions` and `tables`. */
  actions: number;
  files: number;
}

interface SavedProcesses {
  groups: SavedGroup[];
  tasks: SavedTask[];
  init: number;
  actions: SignalAction[][];
  tables: { users: number; files: number[] }[];
  files: OpenFile[];
  futexBase: number;
  clock: unknown;
  random: unknown;
  console: unknown;
  unknownCalls: [number, number][];
}

/** Fields of a group that are copied as they are. */
const GROUP_FIELDS = [
  "pgid",
  "sid",
  "groupExit",
  "exitCode",
  "zombie",
  "stopped",
  "stopReported",
  "stopSignal",
  "continued",
  "continueDue",
  "oomVictim",
  "vforkDone",
] as const;

/** Numbers objects in the order in which they are met. */
class Indexed<T> {
  readonly items: T[] = [];

  of(item: T): number {
    const known = this.items.indexOf(item);
    return known >= 0 ? known : this.items.push(item) - 1;
  }
}

export function saveProcesses(table: ProcessTable): unknown {
  const actions = new Indexed<SignalActions>();
  const tables = new Indexed<FileTable>();
  const files = new Indexed<OpenFile>();
  const tasks: SavedTask[] = [];
  for (const group of table.groups.values()) {
    for (const task of group.threads) {
      const state = processOf(task);
      const saved = state.save();
      tasks.push({ state: saved, actions: actions.of(state.actions), files: tables.of(state.files!) });
    }
  }
  const savedTables = tables.items.map((item) => ({
    users: item.users,
    files: item.files.map((file) => (file === null ? -1 : files.of(file))),
  }));
  const result: SavedProcesses = {
    groups: [...table.groups.values()].map(saveGroup),
    tasks,
    init: table.init?.tgid ?? 0,
    actions: actions.items.map((item) => item.save()),
    tables: savedTables,
    files: files.items.map((file) => ({ ...file })),
    futexBase: table.futexes.base,
    clock: table.clock.save(),
    random: table.random.save(),
    console: table.console.save(),
    unknownCalls: [...table.unknownCalls],
  };
  return result;
}

/** The tasks themselves have been restored already. */
export function restoreProcesses(table: ProcessTable, state: unknown): void {
  const saved = state as SavedProcesses;
  table.groups.clear();
  for (const group of saved.groups) table.groups.set(group.tgid, restoredGroup(table, group));
  for (const group of saved.groups) {
    const parent = table.groups.get(group.parent);
    if (parent === undefined) continue;
    table.groups.get(group.tgid)!.parent = parent;
    parent.children.push(table.groups.get(group.tgid)!);
  }
  table.init = table.groups.get(saved.init) ?? null;
  const actions = saved.actions.map((item) => SignalActions.restored(item));
  const files = saved.files.map((file) => ({ ...file }));
  const tables = saved.tables.map(
    (item) =>
      new FileTable(
        item.files.map((index) => (index < 0 ? null : files[index]!)),
        item.users,
      ),
  );
  for (const { state: own, actions: actionsAt, files: filesAt } of saved.tasks) {
    const task = table.kernel.sched.taskByPid(own.pid)!;
    const group = table.groups.get(own.tgid)!;
    const process = new ProcessState(task, group, actions[actionsAt]!, tables[filesAt]!);
    process.restore(own);
    task.process = process;
    group.threads.push(task);
  }
  table.futexes.restore(kptrOf(saved.futexBase));
  table.clock.restore(saved.clock);
  table.random.restore(saved.random);
  table.console.restore(saved.console);
  table.unknownCalls.clear();
  for (const [number, count] of saved.unknownCalls) table.unknownCalls.set(number, count);
}

function saveGroup(group: ThreadGroup): SavedGroup {
  return {
    tgid: group.tgid,
    parent: group.parent?.tgid ?? 0,
    shared: group.shared.save(),
    exitSignal: group.exitSignal,
    image: group.image,
    limits: group.limits.map(({ soft, hard }) => [finite(soft), finite(hard)]),
    startCycles: group.startCycles,
    fields: Object.fromEntries(GROUP_FIELDS.map((name) => [name, group[name]])) as SavedGroup["fields"],
  };
}

function restoredGroup(table: ProcessTable, saved: SavedGroup): ThreadGroup {
  const group = new ThreadGroup({
    table,
    tgid: saved.tgid,
    parent: null,
    exitSignal: saved.exitSignal,
    image: saved.image,
    limits: saved.limits.map(([soft, hard]) => ({ soft: unlimited(soft), hard: unlimited(hard) })),
    startCycles: saved.startCycles,
  });
  Object.assign(group, saved.fields);
  group.shared.restore(saved.shared);
  return group;
}

function finite(limit: number): number {
  return limit === Number.POSITIVE_INFINITY ? -1 : limit;
}

function unlimited(limit: number): number {
  return limit === -1 ? Number.POSITIVE_INFINITY : limit;
}
