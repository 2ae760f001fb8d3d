/**
 * CPUID: exactly what is modelled, and nothing else. Intel SDM vol. 2, CPUID, tables 3-8, 3-10, 3-11; the extended
 * leaves as AMD's APM vol. 3 appendix E and Intel's table have them. Vendor, family and model are the project's own: no
 * software can mistake the processor for one whose errata or counters it knows.
 *
 * There is no x87, MMX, SSE or XSAVE, so software that needs them must be built for general registers. The leaves of
 * caches (2, 4) are empty, as caches are not modelled. A leaf past the last basic one reads as the last one does.
 */
import { CR4_PKE } from "../../../mmu/index.ts";
import type { X86Profile } from "./profile.ts";

export const EAX = 0;
export const EBX = 1;
export const ECX = 2;
export const EDX = 3;

const VENDOR = "FaultlineCPU";
/** Family 0x46, model 1, stepping 0. */
const SIGNATURE = 0x0370_0f10;
const LAST_BASIC = 0x15;
const LAST_EXTENDED = 0x8000_0008 | 0;
const CLFLUSH_LINE_BYTES = 64;

/** A feature bit that is set, and the instructions that it stands for. */
export interface Feature {
  readonly name: string;
  readonly leaf: number;
  readonly register: 0 | 1 | 2 | 3;
  readonly bit: number;
  /** Mnemonics that must be implemented for it. */
  readonly mnemonics: readonly string[];
}

function feature(leaf: number, register: 0 | 1 | 2 | 3, bit: number, name: string, mnemonics = ""): Feature {
  return { name, leaf: leaf | 0, register, bit, mnemonics: mnemonics === "" ? [] : mnemonics.split(" ") };
}

/** Every feature that is reported, whatever the control registers hold. */
export const FEATURES: readonly Feature[] = [
  feature(1, EDX, 3, "PSE"),
  feature(1, EDX, 4, "TSC", "RDTSC"),
  feature(1, EDX, 5, "MSR", "RDMSR WRMSR"),
  feature(1, EDX, 6, "PAE"),
  feature(1, EDX, 8, "CX8", "CMPXCHG8B"),
  feature(1, EDX, 9, "APIC"),
  feature(1, EDX, 13, "PGE"),
  feature(1, EDX, 15, "CMOV", "CMOVE"),
  feature(1, EDX, 16, "PAT"),
  feature(1, EDX, 19, "CLFSH", "CLFLUSH"),
  feature(1, ECX, 13, "CX16", "CMPXCHG16B"),
  feature(1, ECX, 17, "PCID"),
  feature(1, ECX, 21, "X2APIC"),
  feature(1, ECX, 22, "MOVBE", "MOVBE"),
  feature(1, ECX, 23, "POPCNT", "POPCNT"),
  feature(1, ECX, 24, "TSC_DEADLINE"),
  feature(6, EAX, 2, "ARAT"),
  feature(7, EBX, 0, "FSGSBASE", "RDFSBASE WRFSBASE RDGSBASE WRGSBASE"),
  feature(7, EBX, 1, "TSC_ADJUST"),
  feature(7, EBX, 3, "BMI1", "ANDN BEXTR BLSI BLSMSK BLSR TZCNT"),
  feature(7, EBX, 7, "SMEP"),
  feature(7, EBX, 8, "BMI2", "BZHI MULX PDEP PEXT RORX SARX SHLX SHRX"),
  feature(7, EBX, 10, "INVPCID", "INVPCID"),
  feature(7, EBX, 19, "ADX", "ADCX ADOX"),
  feature(7, EBX, 20, "SMAP", "STAC CLAC"),
  feature(7, EBX, 23, "CLFLUSHOPT", "CLFLUSHOPT"),
  feature(7, EBX, 24, "CLWB", "CLWB"),
  feature(7, ECX, 2, "UMIP"),
  feature(7, ECX, 3, "PKU"),
  feature(7, ECX, 16, "LA57"),
  feature(7, ECX, 22, "RDPID", "RDPID"),
  feature(7, ECX, 25, "CLDEMOTE", "CLDEMOTE"),
  feature(7, EDX, 29, "ARCH_CAPABILITIES"),
  feature(0x8000_0001, ECX, 0, "LAHF64", "LAHF SAHF"),
  feature(0x8000_0001, ECX, 5, "LZCNT", "LZCNT"),
  feature(0x8000_0001, ECX, 8, "PREFETCHW", "PREFETCHW"),
  feature(0x8000_0001, EDX, 11, "SYSCALL", "SYSCALL SYSRET"),
  feature(0x8000_0001, EDX, 20, "NX"),
  feature(0x8000_0001, EDX, 26, "PAGE1GB"),
  feature(0x8000_0001, EDX, 27, "RDTSCP", "RDTSCP"),
  feature(0x8000_0001, EDX, 29, "LM"),
  feature(0x8000_0007, EDX, 8, "INVARIANT_TSC"),
  feature(0x8000_0008, EBX, 9, "WBNOINVD", "WBNOINVD"),
];

export class Cpuid {
  /** EAX, EBX, ECX, EDX of the last leaf. */
  readonly result: Int32Array = new Int32Array(4);
  readonly #profile: X86Profile;
  readonly #apicId: number;
  readonly #cores: number;
  readonly #masks: ReadonlyMap<number, Int32Array>;

  /** @param cores logical processors of the machine, one thread per core */
  constructor(profile: X86Profile, apicId: number, cores: number) {
    this.#profile = profile;
    this.#apicId = apicId;
    this.#cores = cores;
    this.#masks = featureMasks();
  }

  /** @param cr4 OSPKE follows CR4.PKE */
  query(leaf: number, subleaf: number, cr4: number): void {
    const basic = leaf >= 0 ? leaf <= LAST_BASIC : false;
    const extended = leaf < 0 && leaf >= (0x8000_0000 | 0) && leaf <= LAST_EXTENDED;
    const effective = basic || extended ? leaf : LAST_BASIC;
    const result = this.result;
    result.fill(0);
    const mask = subleaf === 0 || effective !== 7 ? this.#masks.get(effective) : undefined;
    if (mask !== undefined) result.set(mask);
    switch (effective) {
      case 0:
        this.#text(LAST_BASIC, VENDOR.slice(0, 4), VENDOR.slice(8, 12), VENDOR.slice(4, 8));
        break;
      case 1:
        result[EAX] = SIGNATURE;
        result[EBX] = this.#initialApic();
        if (this.#cores > 1) result[EDX] |= 1 << 28;
        break;
      case 7:
        if (subleaf === 0 && (cr4 & CR4_PKE) !== 0) result[ECX] |= 1 << 4;
        break;
      case 0xb:
        this.#topology(subleaf);
        break;
      case 0x15:
        result[EAX] = 1;
        result[EBX] = this.#profile.cyclesPerCrystal;
        result[ECX] = this.#profile.crystalHz;
        break;
      case 0x8000_0000 | 0:
        this.#text(LAST_EXTENDED, VENDOR.slice(0, 4), VENDOR.slice(8, 12), VENDOR.slice(4, 8));
        break;
      case 0x8000_0002 | 0:
      case 0x8000_0003 | 0:
      case 0x8000_0004 | 0: {
        const from = (effective - (0x8000_0002 | 0)) * 16;
        const brand = this.#profile.brand.padEnd(48, "\0");
        result[EAX] = fourBytes(brand, from);
        result[EBX] = fourBytes(brand, from + 4);
        result[ECX] = fourBytes(brand, from + 8);
        result[EDX] = fourBytes(brand, from + 12);
        break;
      }
      case LAST_EXTENDED:
        // Linear-address width: 57 bits are supported, whether or not CR4.LA57 is set.
        result[EAX] = this.#profile.maxPhysBits | (57 << 8);
        break;
      default:
    }
  }

  #text(first: number, ebx: string, ecx: string, edx: string): void {
    this.result[EAX] = first;
    this.result[EBX] = fourBytes(ebx, 0);
    this.result[ECX] = fourBytes(ecx, 0);
    this.result[EDX] = fourBytes(edx, 0);
  }

  /** Initial APIC id, logical processors (if HTT), CLFLUSH line in 8 bytes. */
  #initialApic(): number {
    const count = this.#cores > 1 ? Math.min(1 << widthOf(this.#cores), 255) : 0;
    return ((this.#apicId & 0xff) << 24) | (count << 16) | ((CLFLUSH_LINE_BYTES / 8) << 8);
  }

  /** Leaf 0xb: one thread per core; cores are the second level. */
  #topology(subleaf: number): void {
    const result = this.result;
    result[EDX] = this.#apicId;
    result[ECX] = subleaf & 0xff;
    if (subleaf === 0) {
      result[EBX] = 1;
      result[ECX] |= 1 << 8;
    } else if (subleaf === 1) {
      result[EAX] = widthOf(this.#cores);
      result[EBX] = this.#cores;
      result[ECX] |= 2 << 8;
    }
  }
}

function featureMasks(): Map<number, Int32Array> {
  const masks = new Map<number, Int32Array>();
  for (const { leaf, register, bit } of FEATURES) {
    let mask = masks.get(leaf);
    if (mask === undefined) {
      mask = new Int32Array(4);
      masks.set(leaf, mask);
    }
    mask[register] |= 1 << bit;
  }
  return masks;
}

/** Bits that number `count` things. */
function widthOf(count: number): number {
  return count <= 1 ? 0 : 32 - Math.clz32(count - 1);
}

function fourBytes(text: string, from: number): number {
  let word = 0;
  for (let i = 0; i < 4; i++) word |= (text.charCodeAt(from + i) & 0xff) << (i * 8);
  return word;
}
