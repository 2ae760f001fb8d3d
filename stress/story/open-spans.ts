/** What lasts, and has begun: calls, faults, flushes and waits, by the kernel stack that they are on. */
import type { Context } from "../../kernel/index.ts";

export interface OpenSpan {
  readonly kind: "fault" | "syscall" | "flush" | "wait";
  readonly span: number;
  /** Traps on the stack when it began. */
  readonly depth: number;
  readonly what: string;
}

export class OpenSpans {
  readonly #open: Map<Context, OpenSpan[]> = new Map();
  #last = 0;

  /** A number for something that lasts. */
  next(): number {
    return ++this.#last;
  }

  /** @returns its number */
  begin(k: Context, kind: OpenSpan["kind"], what: string): number {
    const span = this.next();
    this.#of(k).push({ kind, span, depth: k.traps.length, what });
    return span;
  }

  /** Ends the innermost of a kind. @returns its number; 0: none had begun */
  end(k: Context, kind: OpenSpan["kind"]): number {
    const open = this.#of(k);
    const at = open.findLastIndex((each) => each.kind === kind);
    return at < 0 ? 0 : open.splice(at, 1)[0]!.span;
  }

  /** The innermost, or undefined. */
  innermost(k: Context): OpenSpan | undefined {
    return this.#of(k).at(-1);
  }

  #of(k: Context): OpenSpan[] {
    let open = this.#open.get(k);
    if (open === undefined) this.#open.set(k, (open = []));
    return open;
  }
}
