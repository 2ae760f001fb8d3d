/**
 * The scalar words of an AArch64 core's translation state, relative to their base, and what follows them. The fast TLB
 * comes first in the whole area, then these, then the modelled arrays in the order of profileArrays().
 */
import { RECENT_WORDS } from "../adversary.ts";
import { FastKeeper } from "../fast-keeper.ts";
import { LateStores } from "../late-stores.ts";
import { arrayWords, ENTRY_WORDS } from "../set-array.ts";
import { type AArch64TranslationProfile, profileArrays } from "./profiles.ts";

/** Base of the scalar words. */
export const SCALARS: number = FastKeeper.words;

/** System registers as last written. */
export const S_SCTLR_LO: number = SCALARS + 0;
export const S_SCTLR_HI: number = SCALARS + 1;
export const S_TCR_LO: number = SCALARS + 2;
export const S_TCR_HI: number = SCALARS + 3;
export const S_TTBR0_LO: number = SCALARS + 4;
export const S_TTBR0_HI: number = SCALARS + 5;
export const S_TTBR1_LO: number = SCALARS + 6;
export const S_TTBR1_HI: number = SCALARS + 7;
export const S_MAIR_LO: number = SCALARS + 8;
export const S_MAIR_HI: number = SCALARS + 9;
/** PSTATE.PAN, 0 or 1. */
export const S_PAN: number = SCALARS + 10;
/** Derived from them: */
/** 1: stage 1 is on. */
export const S_ON: number = SCALARS + 11;
/** Current ASID. */
export const S_ASID: number = SCALARS + 12;
/** Bits of an output address. */
export const S_OUTPUT_BITS: number = SCALARS + 13;
/** Hardware sets the access flag; and the dirty state. */
export const S_HA: number = SCALARS + 14;
export const S_HD: number = SCALARS + 15;
/** 1: the fast TLB takes no data pages, as alignment checks are on. */
export const S_SLOW_DATA: number = SCALARS + 16;
/** Nine masks over (PXN, UXN, EL0, RO), indexed by privilege * 3 + kind: rights.ts. */
export const S_RIGHTS: number = SCALARS + 17;
/** Random generator. */
export const S_RANDOM: number = SCALARS + 26;
export const S_STALL: number = SCALARS + 27;
/** Bit per structure: the array may hold entries. */
export const S_OCCUPIED: number = SCALARS + 28;
/** Bit per size of AARCH64_LEAF_SHIFTS, for the lower and the upper half: a TLB may hold entries of it. */
export const S_SIZES: number = SCALARS + 29;
/** Ring of recently walked and invalidated addresses, which the adversarial policy prefetches again. */
export const S_RECENT: number = SCALARS + 31;

/** What follows from TCR_EL1 and a TTBR for one half of the address space: two blocks of RANGE_WORDS. */
export const S_RANGES: number = S_RECENT + RECENT_WORDS;
export const RANGE_WORDS = 12;
export const R_GRANULE = 0;
export const R_START_LEVEL = 1;
/** 64 - TnSZ; 0: TnSZ has no allowed value and every address faults. */
export const R_INPUT_BITS = 2;
/** Base address of the first table. */
export const R_BASE_LO = 3;
export const R_BASE_HI = 4;
/** EPDn: a TLB miss faults. */
export const R_NO_WALK = 5;
/** HPDn: hierarchical permissions are disabled. */
export const R_FLAT = 6;
/** Bits 63:56 of data addresses, of instruction addresses are ignored. */
export const R_TBI_DATA = 7;
export const R_TBI_FETCH = 8;
/** E0PDn: EL0 has no access to the half. */
export const R_NO_EL0 = 9;
/** The base has bits that an output address must not have. */
export const R_BASE_FAULT = 10;
/** Mask of the first table's index. */
export const R_START_MASK = 11;

/** Walk record of the access in progress and of a speculative walk. */
export const S_WALK: number = S_RANGES + 2 * RANGE_WORDS;

/** Words of a walk record, relative to its base. */
export const W_PHASE = 0;
export const W_LO = 1;
/** Without its tag byte, and as it was given. */
export const W_HI = 2;
export const W_TAGGED_HI = 3;
export const W_KIND = 4;
export const W_PRIVILEGE = 5;
/** Level of the table that is read next; then of the descriptor in hand. */
export const W_LEVEL = 6;
/** Address of that table. */
export const W_TABLE_LO = 7;
export const W_TABLE_HI = 8;
/** Mask of the index into it. */
export const W_INDEX_MASK = 9;
/** Word index of the half's block. */
export const W_RANGE = 10;
/** The descriptor as it was judged, while it needs an update. */
export const W_ENTRY_LO = 11;
export const W_ENTRY_HI = 12;
/** What the update in hand makes of its low word. */
export const W_UPDATED_LO = 13;
/** Limits of the tables above: as ATTRIBUTE_RO … ATTRIBUTE_PXN. */
export const W_RIGHTS = 14;
/** After the fill: word index of the first-level entry, or -1. */
export const W_FIRST_LEVEL = 15;
/** Index of the descriptor's low word in RAM; -1 outside RAM. */
export const W_SLOT = 16;
/** The entry to fill, as set-array.ts has it. */
export const W_IMAGE = 17;
const WALK_WORDS: number = W_IMAGE + ENTRY_WORDS;

export const S_PREFETCH: number = S_WALK + WALK_WORDS;
/** Late page-table stores of the core. */
export const S_LATE: number = S_PREFETCH + WALK_WORDS;
/** First modelled array. */
export const ARRAYS: number = S_LATE + LateStores.words;

/** Phases of a walk. */
export const PHASE_IDLE = 0;
/** The next step reads a descriptor. */
export const PHASE_READ = 1;
/** The next step sets AF or clears AP[2] in the descriptor in hand. */
export const PHASE_UPDATE = 2;
/** The next step fills the TLBs. */
export const PHASE_FILL = 3;
/** The translation is in hand; the access itself is next. */
export const PHASE_ACCESS = 4;
/** The walk ended in a fault. */
export const PHASE_FAULT = 5;

/** Attributes of a TLB entry; bits 3:0 are the permissions that rights.ts judges. */
export const ATTRIBUTE_RO = 1;
export const ATTRIBUTE_EL0 = 2;
export const ATTRIBUTE_UXN = 4;
export const ATTRIBUTE_PXN = 8;
export const PERMISSIONS = 15;
/** A store leaves the descriptor as it is: not writable and clean. */
export const ATTRIBUTE_DIRTY = 16;
/** AttrIndx, SH, GP as in the descriptor. */
export const ATTRIBUTE_INDEX_SHIFT = 5;
export const ATTRIBUTE_SH_SHIFT = 8;
export const ATTRIBUTE_GP: number = 1 << 10;
/** The descriptor had the Contiguous bit. */
export const ATTRIBUTE_CONTIGUOUS: number = 1 << 11;
/** Lookup level of the descriptor. */
export const ATTRIBUTE_LEVEL_SHIFT = 12;

/** Length of a core's translation state in words. */
export function stateWords(profile: AArch64TranslationProfile): number {
  let words = ARRAYS;
  for (const geometry of profileArrays(profile)) words += arrayWords(geometry);
  return words;
}
