/**
 * A list of sleeping tasks in guest RAM: the head lies in a lock's structure, the nodes are the waiter fields of the
 * tasks' task_structs. A task waits for one thing at a time, so it is on one list at most.
 */
import type { PhysicalMemory } from "../../mmu/index.ts";
import { waiterKind, waiterNext, waiterPrev } from "../sched/task.ts";
import { type KPtr, NULL, type PtrField, type StructLayout } from "../struct.ts";

export class WaiterList {
  readonly #first: PtrField;
  readonly #last: PtrField;

  /** Places the head in a structure. */
  constructor(layout: StructLayout) {
    this.#first = layout.ptr("wait_list.first", "wait_lock");
    this.#last = layout.ptr("wait_list.last", "wait_lock");
  }

  /** The task_struct of the oldest waiter, or NULL. */
  first(ram: PhysicalMemory, object: KPtr): KPtr {
    return this.#first.get(ram, object);
  }

  /** Appends a task. @param kind what it waits for, not 0 */
  add(ram: PhysicalMemory, object: KPtr, waiter: KPtr, kind: number): void {
    const last = this.#last.get(ram, object);
    waiterKind.set(ram, waiter, kind);
    waiterNext.set(ram, waiter, NULL);
    waiterPrev.set(ram, waiter, last);
    if (last === NULL) this.#first.set(ram, object, waiter);
    else waiterNext.set(ram, last, waiter);
    this.#last.set(ram, object, waiter);
  }

  /** Takes a task off and clears its kind. */
  remove(ram: PhysicalMemory, object: KPtr, waiter: KPtr): void {
    const next = waiterNext.get(ram, waiter);
    const prev = waiterPrev.get(ram, waiter);
    if (prev === NULL) this.#first.set(ram, object, next);
    else waiterNext.set(ram, prev, next);
    if (next === NULL) this.#last.set(ram, object, prev);
    else waiterPrev.set(ram, next, prev);
    waiterKind.set(ram, waiter, 0);
  }
}
