/** I15: a kernel assertion (BUG, WARN, lockdep) fired. */
import type { KernelObserver } from "../../kernel/index.ts";
import type { OraclePart, OracleWorld } from "./part.ts";
import { siteOf } from "./violation.ts";

export class Assertions implements OraclePart {
  readonly name: string = "assertions";
  readonly events: Partial<KernelObserver>;
  #reported = false;

  constructor(world: OracleWorld) {
    this.events = {
      assertionFailed: (k, text) => {
        if (this.#reported) return;
        this.#reported = true;
        // The first line without addresses is the same in every run.
        const what = text.split("\n")[0]!.replaceAll(/@?\b[0-9a-f]{4,}\b/g, "");
        world.report({ invariant: "I15", text, earlier: null, later: siteOf(k, what) });
      },
    };
  }

  mark(): void {
    this.start();
  }

  start(): void {
    this.#reported = false;
  }
}
