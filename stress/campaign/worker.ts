/** A process of a campaign: runs the parts that it is sent, one after the other. */
import { UserError } from "../../emu/user-error.ts";
import { type CampaignPlan, openUnit } from "./plan.ts";
import type { Unit, UnitResult } from "./unit.ts";

export interface Order {
  readonly plan: CampaignPlan;
  /** Index in the plan's units. */
  readonly unit: number;
  /** Run numbers first, first + stride, … below end. */
  readonly first: number;
  readonly end: number;
  readonly stride: number;
  /** Signatures that need no schedule any more. */
  readonly known: readonly string[];
}

export type Answer =
  | { readonly unit: number; readonly result: UnitResult }
  | { readonly unit: number; readonly error: string };

/** Units that are kept open. */
const MAX_OPEN = 4;

const open = new Map<number, Unit>();

function answer(order: Order): Answer {
  try {
    let unit = open.get(order.unit);
    if (unit === undefined) {
      if (open.size === MAX_OPEN) open.delete(open.keys().next().value!);
      unit = openUnit(order.plan, order.plan.units[order.unit]!);
      open.set(order.unit, unit);
    }
    return { unit: order.unit, result: unit.run(order) };
  } catch (error) {
    const text = error instanceof UserError ? error.line : ((error as Error).stack ?? String(error));
    return { unit: order.unit, error: text };
  }
}

// A signal to the whole group is for the process that sums up; this one ends with it.
process.on("SIGINT", () => {});
process.on("disconnect", () => process.exit());
process.on("message", (order: Order) => {
  process.send!(answer(order), () => {});
});
