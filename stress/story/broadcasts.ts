/** Invalidations that one core broadcasts, as the story sees them: which of them a core has still to carry out. */

interface Sent {
  readonly target: number;
  readonly what: string;
  readonly from: number;
  readonly flow: number;
}

export class BroadcastsInFlight {
  /** Sent and not carried out yet, in the order of sending. */
  readonly #sent: Sent[] = [];
  readonly #cores: number;
  #flows = 0;

  constructor(cores: number) {
    this.#cores = cores;
  }

  /** @returns the same number at all its ends */
  send(from: number, what: string): number {
    const flow = ++this.#flows;
    for (let target = 0; target < this.#cores; target++) {
      if (target !== from) this.#sent.push({ target, what, from, flow });
    }
    return flow;
  }

  /** A core invalidates. @returns whose broadcast it carries out, or null: it is its own */
  accept(core: number, what: string): { readonly from: number; readonly flow: number } | null {
    const at = this.#sent.findIndex((each) => each.target === core && each.what === what);
    return at < 0 ? null : this.#sent.splice(at, 1)[0]!;
  }
}
