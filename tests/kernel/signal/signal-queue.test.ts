import { describe, expect, it } from "vitest";
import { SignalActions } from "../../../kernel/signal/signal-action.ts";
import { sentInfo } from "../../../kernel/signal/signal-info.ts";
import {
  defaultAction,
  SIG_IGN,
  SIGCHLD,
  SIGCONT,
  SIGKILL,
  SIGNALS,
  SIGRTMIN,
  SIGSEGV,
  SIGSTOP,
  SIGUSR1,
} from "../../../kernel/signal/signal-numbers.ts";
import { MAX_QUEUED, SignalQueue } from "../../../kernel/signal/signal-queue.ts";
import { SignalSet } from "../../../kernel/signal/signal-set.ts";

const NONE = new SignalSet();

function queued(...signals: number[]): SignalQueue {
  const queue = new SignalQueue();
  for (const signal of signals) queue.push(sentInfo(signal, 0, signal));
  return queue;
}

function drain(queue: SignalQueue, blocked = NONE): number[] {
  const order: number[] = [];
  for (let signal = queue.next(blocked); signal !== 0; signal = queue.next(blocked)) {
    order.push(queue.take(signal).signal);
  }
  return order;
}

describe("a queue of pending signals", () => {
  it("gives faults first, then the lowest number", () => {
    expect(drain(queued(64, SIGCHLD, 1, SIGSEGV, SIGRTMIN, 33, 4))).toEqual([
      4,
      SIGSEGV,
      1,
      SIGCHLD,
      SIGRTMIN,
      33,
      64,
    ]);
  });

  it("keeps a standard signal once and a real-time one as often as it was sent", () => {
    expect(drain(queued(SIGUSR1, SIGUSR1, 40, 40, 40))).toEqual([SIGUSR1, 40, 40, 40]);
  });

  it("gives a real-time signal's entries in the order in which they were sent", () => {
    const queue = new SignalQueue();
    for (const pid of [3, 1, 2]) queue.push(sentInfo(40, 0, pid));
    const senders = [queue.take(40), queue.take(40), queue.take(40)].map((info) => info.detail);
    expect(senders).toEqual([3, 1, 2].map((pid) => ({ kind: "sender", pid, uid: 0 })));
    expect(queue.set.isEmpty).toBe(true);
  });

  it("holds back what is blocked", () => {
    const queue = queued(1, 2, 33, 34);
    const blocked = new SignalSet();
    blocked.add(1);
    blocked.add(33);
    expect(drain(queue, blocked)).toEqual([2, 34]);
    expect(drain(queue)).toEqual([1, 33]);
  });

  it("is bounded", () => {
    const queue = new SignalQueue();
    for (let index = 0; index < MAX_QUEUED; index++) expect(queue.push(sentInfo(40, 0, 1))).toBe("queued");
    expect(queue.push(sentInfo(40, 0, 1))).toBe("full");
    expect(queue.push(sentInfo(41, 0, 1))).toBe("full");
  });

  it("is the same after save and restore, a kill mark without an entry apart", () => {
    const queue = queued(10, 40, 40);
    const copy = new SignalQueue();
    copy.restore(queue.save());
    expect(drain(copy)).toEqual([10, 40, 40]);
    queue.markKilled();
    expect(queue.take(SIGKILL).signal).toBe(SIGKILL);
  });
});

describe("a set of signals", () => {
  it("holds each of the 64 signals on its own", () => {
    for (let signal = 1; signal <= SIGNALS; signal++) {
      const set = new SignalSet();
      set.add(signal);
      expect(set.signals()).toEqual([signal]);
      set.delete(signal);
      expect(set.isEmpty).toBe(true);
    }
  });

  it("never keeps SIGKILL and SIGSTOP as blocked", () => {
    const set = new SignalSet(-1, -1);
    set.dropUnblockable();
    expect(set.has(SIGKILL) || set.has(SIGSTOP)).toBe(false);
    expect(set.signals()).toHaveLength(SIGNALS - 2);
  });
});

describe("default actions", () => {
  // signal(7), "Standard signals", column "Action".
  const table: readonly (readonly [ReturnType<typeof defaultAction>, readonly number[]])[] = [
    ["core", [3, 4, 5, 6, 7, 8, 11, 24, 25, 31]],
    ["terminate", [1, 2, 9, 10, 12, 13, 14, 15, 16, 26, 27, 29, 30, 32, 64]],
    ["stop", [19, 20, 21, 22]],
    ["ignore", [17, 23, 28]],
    ["continue", [18]],
  ];

  it.each(table)("%s", (action, signals) => {
    for (const signal of signals) expect(defaultAction(signal), `signal ${signal}`).toBe(action);
  });

  it("a signal that is ignored, by choice or by default, is discarded", () => {
    const actions = SignalActions.defaults();
    expect([SIGCHLD, SIGCONT, SIGUSR1].map((signal) => actions.discards(signal))).toEqual([
      true,
      true,
      false,
    ]);
    actions.set(SIGUSR1, { ...actions.get(SIGUSR1), handlerLo: SIG_IGN });
    expect(actions.discards(SIGUSR1)).toBe(true);
    expect(actions.clone().isIgnored(SIGUSR1)).toBe(true);
  });
});
