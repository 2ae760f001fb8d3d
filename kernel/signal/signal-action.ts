/** What a process does about each signal: struct sighand_struct, shared by the tasks of CLONE_SIGHAND. */
import { defaultAction, SIG_DFL, SIG_IGN, SIGNALS } from "./signal-numbers.ts";

/** struct k_sigaction. Addresses as int32 halves; flags SA_*. Never changed, only replaced. */
export interface SignalAction {
  readonly handlerLo: number;
  readonly handlerHi: number;
  readonly flags: number;
  readonly restorerLo: number;
  readonly restorerHi: number;
  readonly maskLo: number;
  readonly maskHi: number;
}

export class SignalActions {
  readonly #actions: SignalAction[];

  private constructor(actions: SignalAction[]) {
    this.#actions = actions;
  }

  /** Every signal has its default action. */
  static defaults(): SignalActions {
    return new SignalActions(new Array<SignalAction>(SIGNALS).fill(DEFAULT));
  }

  /** @param signal 1 … SIGNALS */
  get(signal: number): SignalAction {
    return this.#actions[signal - 1]!;
  }

  set(signal: number, action: SignalAction): void {
    this.#actions[signal - 1] = { ...action };
  }

  reset(signal: number): void {
    this.#actions[signal - 1] = DEFAULT;
  }

  /** A copy, for a child without CLONE_SIGHAND. */
  clone(): SignalActions {
    return new SignalActions([...this.#actions]);
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
    return [...this.#actions];
  }

  restore(actions: readonly SignalAction[]): void {
    for (let index = 0; index < actions.length; index++) this.#actions[index] = actions[index]!;
  }

  static restored(actions: readonly SignalAction[]): SignalActions {
    return new SignalActions([...actions]);
  }
}

const DEFAULT: SignalAction = {
  handlerLo: SIG_DFL,
  handlerHi: 0,
  flags: 0,
  restorerLo: 0,
  restorerHi: 0,
  maskLo: 0,
  maskHi: 0,
};
