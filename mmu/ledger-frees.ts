/** Which frames are free, and when and by whom each was freed last. */
import { EventColumn, type EventContext, RowJournal } from "./ledger-store.ts";

export const IN_USE = 0;
export const FREE_FRAME = 1;
/** Free, and last a table page. */
export const FREE_TABLE = 2;

export class FrameFrees {
  readonly state: Uint8Array;
  readonly events: EventColumn;
  /** What changed since `#base`, the state that was saved or restored last. */
  readonly #changed: RowJournal;
  #base: FrameFrees | null = null;

  constructor(frames: number) {
    this.state = new Uint8Array(frames);
    this.events = new EventColumn(frames);
    this.#changed = new RowJournal(frames);
  }

  freed(
    frame: number,
    kind: typeof FREE_FRAME | typeof FREE_TABLE,
    sequence: number,
    context: EventContext,
  ): void {
    this.#changed.note(frame);
    this.state[frame] = kind;
    this.events.put(frame, sequence, context);
  }

  allocated(frame: number): void {
    this.#changed.note(frame);
    this.state[frame] = IN_USE;
  }

  /** A copy; restore() of the last one takes time in what changed since. */
  save(): FrameFrees {
    const state = new FrameFrees(this.state.length);
    state.#set(this);
    this.#setBase(state);
    return state;
  }

  restore(state: FrameFrees): void {
    if (state !== this.#base) this.#set(state);
    else {
      const { rows, count } = this.#changed;
      for (let at = 0; at < count; at++) {
        const frame = rows[at];
        this.state[frame] = state.state[frame];
        this.events.copy(frame, state.events, frame);
      }
    }
    this.#setBase(state);
  }

  #set(from: FrameFrees): void {
    this.state.set(from.state);
    this.events.set(from.events);
  }

  #setBase(state: FrameFrees): void {
    this.#base = state;
    this.#changed.clear();
  }
}
