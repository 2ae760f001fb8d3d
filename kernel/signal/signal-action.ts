/** What a process does about each signal: struct sighand_struct, shared by the tasks of CLONE_SIGHAND. */
import { defaultAction, SIG_DFL, SIG_IGN, SIGNALS } from "./signal-numbers.ts";

/** struct k_sigaction. Addresses as int32 halves; flags SA_*. */
export interface SignalAction {
  handlerLo: number;
  handlerHi: number;
  flags: number;
  restorerLo: number;
  restorerHi: number;
  maskLo: number;
  maskHi: number;
}

export class SignalActions {
  readonly #actions: SignalAction[] = [];

  constructor() {
    for (let signal = 1; signal <= SIGNALS; signal++) this.#actions.push(emptyAction());
  }

  /** @param signal 1 … SIGNALS */
  get(signal: number): SignalAction {
    return this.#actions[signal - 1]!;
  }

  set(signal: number, action: SignalAction): void {
    this.#actions[signal - 1] = { ...action };
  }

  reset(signal: number): void {
    this.#actions[signal - 1] = emptyAction();
  }

  /** A copy, for a child without CLONE_SIGHAND. */
  clone(): SignalActions {
    const copy = new SignalActions();
    for (let signal = 1; signal <= SIGNALS; signal++) copy.set(signal, this.get(signal));
    return copy;
  }

  isDefault(signal: number): boolean {
    const action = this.get(signal);
    return action.handlerLo === SIG_DFL && action.handlerHi === 0;
  }

  isIgnored(signal: number): boolean {
    const action = this.get(signal);
    return action.handlerLo === SIG_IGN && action.handlerHi === 0;
  }

  hasHandler(signal: number): boolean {
    return !this.isDefault(signal) && !this.isIgnored(signal);
  }

  /** Sending the signal has no effect at all (sig_handler_ignored()). */
  discards(signal: number): boolean {
    if (this.isIgnored(signal)) return true;
    const action = defaultAction(signal);
    return this.isDefault(signal) && (action === "ignore" || action === "continue");
  }

  save(): SignalAction[] {
    return this.#actions.map((action) => ({ ...action }));
  }

  static restored(actions: readonly SignalAction[]): SignalActions {
    const restored = new SignalActions();
    for (const [index, action] of actions.entries()) restored.set(index + 1, action);
    return restored;
  }
}

function emptyAction(): SignalAction {
  return {
    handlerLo: SIG_DFL,
    handlerHi: 0,
    flags: 0,
    restorerLo: 0,
    restorerHi: 0,
    maskLo: 0,
    maskHi: 0,
  };
}
