/**
 * The scalar words of an x86-64 core's translation state, relative to their base, and what follows them. The fast TLB
 * comes first in the whole area, then these, then the modelled arrays in the order of profileArrays().
 */
import { RECENT_WORDS } from "../adversary.ts";
import { FastKeeper } from "../fast-keeper.ts";
import { arrayWords, ENTRY_WORDS } from "../set-array.ts";
import { profileArrays, type X86TranslationProfile } from "./profiles.ts";

/** Base of the scalar words. */
export const SCALARS: number = FastKeeper.words;

/** Control registers as last set. */
export const S_CR0: number = SCALARS + 0;
export const S_CR4: number = SCALARS + 1;
export const S_EFER: number = SCALARS + 2;
export const S_CR3_LO: number = SCALARS + 3;
export const S_CR3_HI: number = SCALARS + 4;
/** EFLAGS.AC, 0 or 1. */
export const S_AC: number = SCALARS + 5;
export const S_PKRU: number = SCALARS + 6;
/** Derived from them: */
/** Current PCID; 0 with CR4.PCIDE = 0. */
export const S_PCID: number = SCALARS + 7;
/** 0 paging off, 4 or 5. */
export const S_LEVELS: number = SCALARS + 8;
/** Reserved bits of an entry's high word. */
export const S_RESERVED_HI: number = SCALARS + 9;
/** 1: the fast TLB takes no user data pages, as alignment checks are on. */
export const S_SLOW_USER: number = SCALARS + 10;
/** Nine masks over (XD, U/S, R/W), indexed by privilege * 3 + kind: rights.ts. */
export const S_RIGHTS: number = SCALARS + 11;
/** Random generator. */
export const S_RANDOM: number = SCALARS + 20;
export const S_STALL: number = SCALARS + 21;
/** Bit per structure: the array may hold entries. */
export const S_OCCUPIED: number = SCALARS + 22;
/** Ring of recently walked and invalidated addresses, which the adversarial policy prefetches again. */
export const S_RECENT: number = SCALARS + 23;

/**
 * Bit per group of 1 GiB regions (regionBit()): a TLB may hold 2 MiB or 1 GiB entries of one. Speeds lookups up; decides
 * nothing.
 */
export const S_LARGE: number = S_RECENT + RECENT_WORDS;

/** Walk record of the access in progress and of a speculative walk. */
export const S_WALK: number = S_LARGE + 1;

/** Words of a walk record, relative to its base. */
export const W_PHASE = 0;
export const W_LO = 1;
export const W_HI = 2;
export const W_KIND = 3;
export const W_PRIVILEGE = 4;
/** Level of the table that is read next; then of the entry in hand. */
export const W_LEVEL = 5;
/** Frame of that table: bits 31:0, 39:32. */
export const W_TABLE_LO = 6;
export const W_TABLE_HI = 7;
/** The entry as it was judged, while it needs an update. */
export const W_ENTRY_LO = 8;
export const W_ENTRY_HI = 9;
/** Rights over the entries above: R/W and U/S ANDed, XD ORed, as bits 0, 1, 2. */
export const W_RIGHTS = 10;
/** Bits that the update in hand must set. */
export const W_NEED = 11;
/** After the fill: word index of the first-level entry, or -1. */
export const W_FIRST_LEVEL = 12;
/** Index of the entry's low word in RAM; -1 outside RAM. */
export const W_SLOT = 13;
/** The entry to fill, as set-array.ts has it. */
export const W_IMAGE = 14;
const WALK_WORDS: number = W_IMAGE + ENTRY_WORDS;

export const S_PREFETCH: number = S_WALK + WALK_WORDS;
/** First modelled array. */
export const ARRAYS: number = S_PREFETCH + WALK_WORDS;

/** Phases of a walk. */
export const PHASE_IDLE = 0;
/** The next step reads an entry. */
export const PHASE_READ = 1;
/** The next step sets A or D in the entry in hand. */
export const PHASE_UPDATE = 2;
/** The next step fills the TLBs. */
export const PHASE_FILL = 3;
/** The translation is in hand; the access itself is next. */
export const PHASE_ACCESS = 4;
/** The walk ended in a fault. */
export const PHASE_FAULT = 5;

/** Attributes of a TLB entry: bits 0-2 as in W_RIGHTS. */
export const ATTRIBUTE_RW = 1;
export const ATTRIBUTE_US = 2;
export const ATTRIBUTE_XD = 4;
export const ATTRIBUTE_D = 8;
/** The entry is a 2 MiB fragment of a 1 GiB page. */
export const ATTRIBUTE_FRAGMENT = 16;
export const ATTRIBUTE_KEY_SHIFT = 8;

/** The bit in S_LARGE of an address's 1 GiB region. @hot */
export function regionBit(lo: number, hi: number): number {
  return 1 << (Math.imul((lo >>> 30) | (hi << 2), 0x9e37_79b1) >>> 27);
}

/** Length of a core's translation state in words. */
export function stateWords(profile: X86TranslationProfile): number {
  let words = ARRAYS;
  for (const geometry of profileArrays(profile)) words += arrayWords(geometry);
  return words;
}
