/** Interrupts between two cores, as the story sees them: who sent what is accepted, and which handlers run. */

interface Sent {
  readonly target: number;
  readonly vector: number;
  /** The same number at both ends. */
  readonly flow: number;
  readonly from: number;
}

export class InterruptsInFlight {
  /** Sent and not accepted yet. */
  readonly #sent: Sent[] = [];
  /** By core: the spans of the handlers that run, outermost first. */
  readonly #handlers: number[][];
  #flows = 0;

  constructor(cores: number) {
    this.#handlers = Array.from({ length: cores }, () => []);
  }

  /** A core sends a vector to another. @returns the number of the message */
  send(from: number, target: number, vector: number): number {
    const flow = ++this.#flows;
    // A message that is pending already is one interrupt.
    if (!this.#sent.some((each) => each.target === target && each.vector === vector)) {
      this.#sent.push({ target, vector, flow, from });
    }
    return flow;
  }

  /** A core accepts a vector, whose handler is a span. @returns the message, or null: it came from no core */
  accept(
    core: number,
    vector: number,
    span: number,
  ): { readonly from: number; readonly flow: number } | null {
    this.#handlers[core]!.push(span);
    const at = this.#sent.findIndex((each) => each.target === core && each.vector === vector);
    return at < 0 ? null : this.#sent.splice(at, 1)[0]!;
  }

  isHandled(core: number): boolean {
    return this.#handlers[core]!.length > 0;
  }

  /** The innermost handler of a core ends. @returns its span */
  end(core: number): number {
    return this.#handlers[core]!.pop()!;
  }
}
