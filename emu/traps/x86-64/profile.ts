/**
 * What is measured in cycles or bits around an x86-64 core. The costs of traps and interrupts are parameters of the
 * model, of the order of what processors of the last years take; no vendor publishes them.
 */
import { MINIATURE, SKYLAKE, type X86TranslationProfile } from "../../../mmu/index.ts";

export interface X86Profile {
  readonly name: string;
  /** Processor brand string of CPUID leaves 0x80000002–4, at most 47 characters. */
  readonly brand: string;
  readonly translation: X86TranslationProfile;
  /** MAXPHYADDR, 36 … 52. */
  readonly maxPhysBits: number;
  /** Crystal clock: what the APIC timer counts. CPUID leaf 0x15 ECX. */
  readonly crystalHz: number;
  /** Time-stamp counter and core cycles per crystal cycle. CPUID leaf 0x15 EBX, EAX being 1. */
  readonly cyclesPerCrystal: number;
  /** From the ICR write to the target's IRR. */
  readonly ipiLatencyCycles: number;
  /** Of the microcode alone; the memory accesses' stalls come on top. */
  readonly deliveryCycles: number;
  readonly returnCycles: number;
  readonly systemCallCycles: number;
  /**
   * PAUSE gives the other cores this much of a lead: 140 on Skylake, about 10 before it (Intel 64 and IA-32 Architectures
   * Optimization Reference Manual, "Pause Latency in Skylake Client Microarchitecture").
   */
  readonly pauseCycles: number;
  /** WRMSR to the local APIC, and other serialising system instructions. */
  readonly systemRegisterCycles: number;
}

/** A 3 GHz core with a 25 MHz crystal. */
export const X86_DEFAULT_PROFILE: X86Profile = {
  name: "fl-1",
  brand: "Faultline x86-64 @ 3.00GHz",
  translation: SKYLAKE,
  maxPhysBits: 46,
  crystalHz: 25_000_000,
  cyclesPerCrystal: 120,
  ipiLatencyCycles: 800,
  deliveryCycles: 150,
  returnCycles: 100,
  systemCallCycles: 40,
  pauseCycles: 140,
  systemRegisterCycles: 60,
};

/** The same with TLBs in miniature. */
export const X86_SMALL_PROFILE: X86Profile = { ...X86_DEFAULT_PROFILE, translation: MINIATURE };

/** Cycles per second of the core clock and the time-stamp counter. */
export function cyclesPerSecond(profile: X86Profile): number {
  return profile.crystalHz * profile.cyclesPerCrystal;
}
