/**
 * The firmware behind HVC and SMC: Arm Power State Coordination Interface, DEN 0022, version 1.1, sections 5 (functions)
 * and 5.2.2 (return codes), called as SMC Calling Convention DEN 0028 says: function in W0, arguments in X1 to X3, result
 * in X0. The cores have neither EL2 nor EL3; the calls are answered as if they had.
 *
 * CPU_SUSPEND is standby whatever power state it names, which a power-down becomes when something wakes the core before it
 * is complete; SYSTEM_RESET stops the machine. Of SMCCC_ARCH_FEATURES there is none: no erratum needs firmware here.
 */
import { coreOfAffinity } from "./id-registers.ts";

export const PSCI_VERSION = 0x8400_0000;
export const PSCI_CPU_SUSPEND_32 = 0x8400_0001;
export const PSCI_CPU_SUSPEND = 0xc400_0001;
export const PSCI_CPU_OFF = 0x8400_0002;
export const PSCI_CPU_ON_32 = 0x8400_0003;
export const PSCI_CPU_ON = 0xc400_0003;
export const PSCI_AFFINITY_INFO_32 = 0x8400_0004;
export const PSCI_AFFINITY_INFO = 0xc400_0004;
export const PSCI_MIGRATE_INFO_TYPE = 0x8400_0006;
export const PSCI_SYSTEM_OFF = 0x8400_0008;
export const PSCI_SYSTEM_RESET = 0x8400_0009;
export const PSCI_FEATURES = 0x8400_000a;
export const SMCCC_VERSION = 0x8000_0000;
export const SMCCC_ARCH_FEATURES = 0x8000_0001;

export const PSCI_SUCCESS = 0;
export const PSCI_NOT_SUPPORTED = -1;
export const PSCI_INVALID_PARAMETERS = -2;
export const PSCI_ALREADY_ON = -4;
export const PSCI_INVALID_ADDRESS = -9;

/** AFFINITY_INFO. */
export const AFFINITY_ON = 0;
export const AFFINITY_OFF = 1;

const VERSION_1_1 = 0x1_0001;
const SMCCC_1_1 = 0x1_0001;
/** The Trusted OS does not need migration, or there is none. */
const NO_MIGRATION = 2;
const MASK_32 = 0xffff_ffff;
/** Reserved bits of CPU_SUSPEND's power_state in the original format. */
const POWER_STATE_RESERVED: number = 0xfcfe_0000 | 0;

/** The core that calls. */
export interface CallingCore {
  /** PSCI CPU_OFF: it does not come back from the call. */
  powerOff(): void;
  /** PSCI CPU_SUSPEND: it comes back when an interrupt is pending. */
  standBy(): void;
  stopMachine(reason: { readonly kind: "power-off"; readonly text: string; readonly status: number }): void;
}

/** Another core, or the same. */
export interface PoweredCore {
  readonly isOn: boolean;
  /** Starts at EL1 with stage 1 off. */
  powerOn(entryLo: number, entryHi: number, contextLo: number, contextHi: number, senderClock: number): void;
}

export interface PsciCall {
  readonly core: CallingCore;
  readonly cores: readonly PoweredCore[];
  /** RAM: what an entry address lies in. */
  readonly ramBytes: number;
  readonly clock: number;
  /** W0 as unsigned number; X1, X2, X3. */
  readonly call: number;
  readonly argLo: readonly number[];
  readonly argHi: readonly number[];
}

const OFFERED: ReadonlySet<number> = new Set([
  PSCI_VERSION,
  PSCI_CPU_SUSPEND,
  PSCI_CPU_SUSPEND_32,
  PSCI_CPU_OFF,
  PSCI_CPU_ON,
  PSCI_CPU_ON_32,
  PSCI_AFFINITY_INFO,
  PSCI_AFFINITY_INFO_32,
  PSCI_MIGRATE_INFO_TYPE,
  PSCI_SYSTEM_OFF,
  PSCI_SYSTEM_RESET,
  PSCI_FEATURES,
  SMCCC_VERSION,
  SMCCC_ARCH_FEATURES,
]);

/** The call may start a core. */
export function isPowerOn(call: number): boolean {
  return call >>> 0 === PSCI_CPU_ON || call >>> 0 === PSCI_CPU_ON_32;
}

/** The result for X0, sign-extended to 64 bits. */
export function callFirmware(call: PsciCall): number {
  const { core, argLo, argHi } = call;
  switch (call.call) {
    case PSCI_VERSION:
      return VERSION_1_1;
    case SMCCC_VERSION:
      return SMCCC_1_1;
    case PSCI_FEATURES:
      return OFFERED.has((argLo[0] ?? 0) >>> 0) ? PSCI_SUCCESS : PSCI_NOT_SUPPORTED;
    case SMCCC_ARCH_FEATURES:
      return isArchCall(argLo[0] ?? 0) ? PSCI_SUCCESS : PSCI_NOT_SUPPORTED;
    case PSCI_CPU_SUSPEND:
    case PSCI_CPU_SUSPEND_32:
      if (((argLo[0] ?? 0) & POWER_STATE_RESERVED) !== 0) return PSCI_INVALID_PARAMETERS;
      core.standBy();
      return PSCI_SUCCESS;
    case PSCI_MIGRATE_INFO_TYPE:
      return NO_MIGRATION;
    case PSCI_CPU_ON:
      return powerOn(call, argHi);
    case PSCI_CPU_ON_32:
      return powerOn(call, []);
    case PSCI_AFFINITY_INFO:
      return affinityInfo(call, argHi);
    case PSCI_AFFINITY_INFO_32:
      return affinityInfo(call, []);
    case PSCI_CPU_OFF:
      core.powerOff();
      return PSCI_SUCCESS;
    case PSCI_SYSTEM_OFF:
      core.stopMachine({ kind: "power-off", text: "system off", status: 0 });
      return PSCI_SUCCESS;
    case PSCI_SYSTEM_RESET:
      core.stopMachine({ kind: "power-off", text: "system reset", status: 0 });
      return PSCI_SUCCESS;
    default:
      return PSCI_NOT_SUPPORTED;
  }
}

function isArchCall(call: number): boolean {
  return call >>> 0 === SMCCC_VERSION || call >>> 0 === SMCCC_ARCH_FEATURES;
}

function target(call: PsciCall, argHi: readonly number[]): PoweredCore | undefined {
  return call.cores[coreOfAffinity(call.argLo[0] ?? 0, argHi[0] ?? 0)];
}

function powerOn(call: PsciCall, argHi: readonly number[]): number {
  const core = target(call, argHi);
  if (core === undefined) return PSCI_INVALID_PARAMETERS;
  const entryLo = call.argLo[1] ?? 0;
  const entryHi = argHi[1] ?? 0;
  if ((entryLo & 3) !== 0 || (entryHi >>> 0) * (MASK_32 + 1) + (entryLo >>> 0) >= call.ramBytes) {
    return PSCI_INVALID_ADDRESS;
  }
  if (core.isOn) return PSCI_ALREADY_ON;
  core.powerOn(entryLo, entryHi, call.argLo[2] ?? 0, argHi[2] ?? 0, call.clock);
  return PSCI_SUCCESS;
}

/** Affinity level 0 only. */
function affinityInfo(call: PsciCall, argHi: readonly number[]): number {
  const core = target(call, argHi);
  if (core === undefined || (call.argLo[1] ?? 0) !== 0) return PSCI_INVALID_PARAMETERS;
  return core.isOn ? AFFINITY_ON : AFFINITY_OFF;
}
