/**
 * Processes as plain data. A machine is saved only while every task is in user mode, so there are no calls in progress,
 * no waiters and no ending threads; there may be processes that nobody has waited for.
 *
 * Exploration goes back to one state thousands of times a second: the objects of the state that was saved or restored
 * last are kept, and get their values back.
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

/** The objects of a state, in its order. */
interface Objects {
  readonly groups: readonly ThreadGroup[];
  readonly tasks: readonly ProcessState[];
  readonly actions: readonly SignalActions[];
  readonly tables: readonly FileTable[];
  readonly files: readonly OpenFile[];
}

export class ProcessSnapshots {
  readonly #table: ProcessTable;
  #kept: { readonly state: SavedProcesses; readonly objects: Objects } | null = null;

  constructor(table: ProcessTable) {
    this.#table = table;
  }

  save(): unknown {
    const table = this.#table;
    const actions = new Indexed<SignalActions>();
    const tables = new Indexed<FileTable>();
    const files = new Indexed<OpenFile>();
    const groups = [...table.groups.values()];
    const tasks = groups.flatMap((group) => group.threads.map((task) => processOf(task)));
    const state: SavedProcesses = {
      groups: groups.map(saveGroup),
      tasks: tasks.map((own) => ({
        state: own.save(),
        actions: actions.of(own.actions),
        files: tables.of(own.files!),
      })),
      init: table.init?.tgid ?? 0,
      actions: actions.items.map((item) => item.save()),
      tables: tables.items.map((item) => ({
        users: item.users,
        files: item.files.map((file) => (file === null ? -1 : files.of(file))),
      })),
      files: files.items.map((file) => ({ ...file })),
      futexBase: table.futexes.base,
      clock: table.clock.save(),
      random: table.random.save(),
      console: table.console.save(),
      unknownCalls: [...table.unknownCalls],
    };
    const objects = { groups, tasks, actions: actions.items, tables: tables.items, files: files.items };
    this.#kept = { state, objects };
    return state;
  }

  /** The tasks themselves have been restored already. */
  restore(saved: unknown): void {
    const table = this.#table;
    const state = saved as SavedProcesses;
    const objects = this.#objectsOf(state);
    restoreFiles(state, objects);
    for (let index = 0; index < state.actions.length; index++) {
      objects.actions[index]!.restore(state.actions[index]!);
    }
    table.groups.clear();
    for (let index = 0; index < state.groups.length; index++) {
      restoreGroup(objects.groups[index]!, state.groups[index]!);
      table.groups.set(objects.groups[index]!.tgid, objects.groups[index]!);
    }
    this.#restoreFamilies(state, objects);
    for (let index = 0; index < state.tasks.length; index++) {
      const { state: own, actions, files } = state.tasks[index]!;
      const process = objects.tasks[index]!;
      process.actions = objects.actions[actions]!;
      process.files = objects.tables[files]!;
      process.restore(own);
      process.task.process = process;
      process.group.threads.push(process.task);
    }
    table.futexes.restore(kptrOf(state.futexBase));
    table.clock.restore(state.clock);
    table.random.restore(state.random);
    table.console.restore(state.console);
    table.unknownCalls.clear();
    for (const [number, count] of state.unknownCalls) table.unknownCalls.set(number, count);
  }

  /** Parents and children; the groups are in the table. */
  #restoreFamilies(state: SavedProcesses, { groups }: Objects): void {
    const table = this.#table;
    table.init = table.groups.get(state.init) ?? null;
    for (let index = 0; index < groups.length; index++) {
      const parent = table.groups.get(state.groups[index]!.parent) ?? null;
      groups[index]!.parent = parent;
      if (parent !== null) parent.children.push(groups[index]!);
    }
  }

  #objectsOf(state: SavedProcesses): Objects {
    const { sched } = this.#table.kernel;
    const kept = this.#kept;
    if (kept?.state === state && kept.objects.tasks.every(({ task }) => sched.taskByPid(task.pid) === task)) {
      return kept.objects;
    }
    const objects = this.#newObjects(state);
    this.#kept = { state, objects };
    return objects;
  }

  /** Objects of the right identities; their values are not set yet. */
  #newObjects(state: SavedProcesses): Objects {
    const table = this.#table;
    const actions = state.actions.map((item) => SignalActions.restored(item));
    const files = state.files.map((file) => ({ ...file }));
    const tables = state.tables.map(() => new FileTable([]));
    const groups = state.groups.map(({ tgid, exitSignal, image, startCycles }) => {
      return new ThreadGroup({ table, tgid, parent: null, exitSignal, image, limits: [], startCycles });
    });
    const tasks = state.tasks.map(({ state: own, actions: actionsAt, files: filesAt }) => {
      const group = groups.find(({ tgid }) => tgid === own.tgid)!;
      return new ProcessState(
        table.kernel.sched.taskByPid(own.pid)!,
        group,
        actions[actionsAt]!,
        tables[filesAt]!,
      );
    });
    return { groups, tasks, actions, tables, files };
  }
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

/** All but its family and threads, which join it later. */
function restoreGroup(group: ThreadGroup, saved: SavedGroup): void {
  group.exitSignal = saved.exitSignal;
  group.image = saved.image;
  group.startCycles = saved.startCycles;
  Object.assign(group, saved.fields);
  group.shared.restore(saved.shared);
  group.threads.length = 0;
  group.children.length = 0;
  group.childWaiters.pids.length = 0;
  group.vforkWaiters.pids.length = 0;
  for (let resource = 0; resource < saved.limits.length; resource++) {
    const [soft, hard] = saved.limits[resource]!;
    const limit = group.limits[resource];
    if (limit !== undefined && finite(limit.soft) === soft && finite(limit.hard) === hard) continue;
    group.limits[resource] = { soft: unlimited(soft), hard: unlimited(hard) };
  }
}

function restoreFiles(state: SavedProcesses, { tables, files }: Objects): void {
  for (let index = 0; index < files.length; index++) Object.assign(files[index]!, state.files[index]!);
  for (let index = 0; index < tables.length; index++) {
    const { users, files: places } = state.tables[index]!;
    tables[index]!.restore(places, files, users);
  }
}

function finite(limit: number): number {
  return limit === Number.POSITIVE_INFINITY ? -1 : limit;
}

function unlimited(limit: number): number {
  return limit === -1 ? Number.POSITIVE_INFINITY : limit;
}
