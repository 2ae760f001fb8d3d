/**
 * Path names (fs/namei.c, fs/proc/base.c): the tree of directories that there is, and the way through it. The root is
 * read-only and holds /proc:
 *
 *     /proc/vmstat            /proc/self -> PID             /proc/thread-self -> PID/task/TID
 *     /proc/PID/maps          /proc/PID/task/TID/maps
 */
import { ELOOP, ENAMETOOLONG, ENOENT, ENOTDIR } from "../errno.ts";
import { processOf } from "../tasks/process-state.ts";
import type { ProcessTable } from "../tasks/process-table.ts";
import type { ThreadGroup } from "../tasks/thread-group.ts";

/** A directory, by the names that lead to it from the root. */
export type Directory = readonly string[];

export type PathNode =
  | { readonly kind: "directory"; readonly names: Directory }
  | { readonly kind: "file"; readonly file: "maps" | "vmstat"; readonly pid: number }
  /** The last name does not exist in a directory that does. */
  | { readonly kind: "missing"; readonly directory: Directory };

/** Who asks: /proc/self and /proc/thread-self lead to it. */
export interface PathWalker {
  readonly table: ProcessTable;
  readonly tgid: number;
  readonly tid: number;
}

type Entry = Exclude<PathNode, { kind: "missing" }> | { readonly kind: "link"; readonly target: string };

/** Of the root's file system; /proc has no limit of its own. */
const NAME_MAX = 255;

/**
 * Walks a path that is not empty. A slash at its end asks for a directory.
 * @param lastLink what a symbolic link at the end comes to
 * @returns the node, -ENOENT, -ENOTDIR, -ELOOP (a link that was refused) or -ENAMETOOLONG
 */
export function walkPath(
  walker: PathWalker,
  from: Directory,
  path: string,
  lastLink: "follow" | "refuse",
): PathNode | number {
  const parts = path.split("/").filter((name) => name !== "");
  let at: Exclude<PathNode, { kind: "missing" }> = {
    kind: "directory",
    names: path.startsWith("/") ? [] : from,
  };
  for (const [index, name] of parts.entries()) {
    const isLast = index === parts.length - 1 && !path.endsWith("/");
    if (at.kind !== "directory") return -ENOTDIR;
    if (!exists(walker.table, at.names)) return -ENOENT;
    if (name === ".") continue;
    if (name === "..") {
      at = { kind: "directory", names: at.names.slice(0, -1) };
      continue;
    }
    const entry = entryOf(walker, at.names, name);
    if (typeof entry === "number") {
      const isEnd = entry === -ENOENT && index === parts.length - 1;
      return isEnd ? { kind: "missing", directory: at.names } : entry;
    }
    if (entry.kind !== "link") {
      at = entry;
      continue;
    }
    if (isLast && lastLink === "refuse") return -ELOOP;
    const target = walkPath(walker, at.names, entry.target, "follow");
    if (typeof target === "number") return target;
    if (target.kind === "missing") return -ENOENT;
    at = target;
  }
  return path.endsWith("/") && at.kind !== "directory" ? -ENOTDIR : at;
}

/** What a name is in a directory, or -ENOENT, -ENAMETOOLONG. */
function entryOf(walker: PathWalker, directory: Directory, name: string): Entry | number {
  const [, pid, , tid] = directory;
  const inside: Entry = { kind: "directory", names: [...directory, name] };
  if (directory.length === 0) {
    if (new TextEncoder().encode(name).length > NAME_MAX) return -ENAMETOOLONG;
    return name === "proc" ? inside : -ENOENT;
  }
  if (pid === undefined) {
    if (name === "self") return { kind: "link", target: `${walker.tgid}` };
    if (name === "thread-self") return { kind: "link", target: `${walker.tgid}/task/${walker.tid}` };
    if (name === "vmstat") return { kind: "file", file: "vmstat", pid: walker.tgid };
    return exists(walker.table, inside.names) ? inside : -ENOENT;
  }
  const group = groupOf(walker.table, pid);
  if (group === null) return -ENOENT;
  const isTaskList = directory.length === 3;
  if (name === "maps" && !isTaskList) return { kind: "file", file: "maps", pid: group.tgid };
  if (name === "task" && tid === undefined && !isTaskList) return inside;
  return isTaskList && exists(walker.table, inside.names) ? inside : -ENOENT;
}

/** The process or thread that a directory is about has not gone. */
function exists(table: ProcessTable, directory: Directory): boolean {
  const [, pid, , tid] = directory;
  if (pid === undefined) return true;
  const group = groupOf(table, pid);
  return group !== null && (tid === undefined || groupOf(table, tid) === group);
}

/** The process that a number in /proc names, by itself or one of its threads. */
function groupOf(table: ProcessTable, number: string): ThreadGroup | null {
  if (!/^[1-9][0-9]{0,9}$/.test(number)) return null;
  const group = table.groupOfPid(Number(number));
  if (group !== null) return group;
  const task = table.kernel.sched.taskByPid(Number(number));
  return task === null || task.process === null ? null : processOf(task).group;
}
