/** A point of the schedule that a search executes: what could be chosen there, and the event that was. */
import {
  AGENTS_PER_CORE,
  type Agent,
  type Choices,
  ROLE_BROADCAST,
  ROLE_INTERRUPT,
  ROLE_TIMER,
} from "../exploring.ts";

export const NO_EVENT = -1;
export const NO_CORE = -1;
/** Agents of a point are the bits of a word. */
export const MAX_CORES: number = (31 / AGENTS_PER_CORE) | 0;
export const CORE_ROLES = 0b00011;
export const ALL_ROLES = 0b11111;
/** Every agent that is no core. */
export const MACHINE_BITS: number = ofEveryCore(ALL_ROLES & ~CORE_ROLES);
const TIMER_BITS: number = ofEveryCore(1 << ROLE_TIMER);

export interface Point {
  agent: Agent;
  /** Agents, as bits. */
  enabled: number;
  done: number;
  asked: number;
  /** The core that executed the last event that was no interrupt, and whether leaving it costs a preemption. */
  last: number;
  holds: boolean;
  /** Preemptions before the event. */
  preemptions: number;
  /** The event at which the block that this one lies in begins: there another core would have been no dearer. */
  block: number;
  /** The core that executed the last event but interrupts', and the event since which it is the same. */
  runs: number;
  turn: number;
  /** The event before this one on the same core; of an effect, the effect before it there. */
  previous: number;
  /** The interrupt in whose handler the event lies. */
  accepted: number;
  /** The last event of its core before it that an interrupt in between does not belong to. */
  predecessor: number;
  /** Of an effect: the event that brought it about. */
  cause: number;
  /** Cores that the event sent an interrupt to, as bits. */
  sends: number;
  /** An interrupt of its core does not commute with the event. */
  isBarrier: boolean;
  /** Entries of the index: the event's own. */
  from: number;
  to: number;
}

export function coreOf(agent: Agent): number {
  return (agent / AGENTS_PER_CORE) | 0;
}

export function isCore(agent: Agent): boolean {
  return agent % AGENTS_PER_CORE < ROLE_INTERRUPT;
}

/** What an event of one core brought about takes effect on another. */
export function isEffect(agent: Agent): boolean {
  return agent % AGENTS_PER_CORE === ROLE_BROADCAST;
}

/** Not of its interrupts or effects, but of the core itself. */
export function isEventOf(agent: Agent, core: number): boolean {
  return coreOf(agent) === core && isCore(agent);
}

export function agentsOf(core: number, roles: number): number {
  return roles << (core * AGENTS_PER_CORE);
}

export function lowest(bits: number): number {
  return 31 - Math.clz32(bits & -bits);
}

/** Timers only fire where nothing else can go on: no virtual time passes while somebody does. */
export function enabledOf({ agents, count, current, spins }: Choices): number {
  let bits = 0;
  for (let at = 0; at < count; at++) bits |= 1 << agents[at]!;
  const untimed = bits & ~TIMER_BITS;
  return (untimed & ~(spins ? 1 << current : 0)) !== 0 ? untimed : bits;
}

function ofEveryCore(roles: number): number {
  let bits = 0;
  for (let core = 0; core < MAX_CORES; core++) bits |= agentsOf(core, roles);
  return bits;
}
