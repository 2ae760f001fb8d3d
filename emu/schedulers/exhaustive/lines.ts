/**
 * Lines of events each of which comes after the one before: of every core its own, those of its interrupts and their
 * handlers, and the effects on it of what events brought about.
 */
import { coreOf, isCore, isEffect, NO_EVENT, type Point } from "./point.ts";

export const LINES_PER_CORE = 3;
const HANDLERS = 1;
const EFFECTS = 2;

/** The line of a core's own events. */
export function ownLine(core: number): number {
  return core * LINES_PER_CORE;
}

export function lineOf({ agent, accepted }: Point): number {
  const own = ownLine(coreOf(agent));
  if (isEffect(agent)) return own + EFFECTS;
  return isCore(agent) && accepted === NO_EVENT ? own : own + HANDLERS;
}
