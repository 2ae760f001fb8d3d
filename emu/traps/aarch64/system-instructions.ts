/**
 * SYS and SYSL: DC, IC, AT and TLBI. Arm ARM DDI 0487, C5.3 to C5.5; which of them EL0 may execute: the pseudocode of each,
 * SCTLR_EL1.UCI and DZE.
 */
import {
  type AccessKind,
  decodeTlbi,
  IMPLICIT,
  type Privilege,
  READ,
  SUPERVISOR,
  type TlbiName,
  type TlbiOperation,
  type TlbiShareability,
  USER,
  WRITE,
} from "../../../mmu/index.ts";
import type { TlbiInstruction } from "../../hardware.ts";
import {
  OPERATION_MAINTAIN,
  OPERATION_NONE,
  OPERATION_TRANSLATE,
  OPERATION_ZERO,
} from "./memory-operation.ts";
import { SCTLR_DZE, SCTLR_UCI } from "./system-registers.ts";

/** A system instruction as this core has it. */
export interface SystemInstruction {
  readonly name: string;
  /** EL0: UNDEFINED there, or trapped unless this bit of SCTLR_EL1 is set. */
  readonly el0: "undefined" | number;
  /** OPERATION_* that it starts, with what it needs. */
  readonly operation: number;
  readonly access: AccessKind;
  /** "level": that of the Exception level, PSTATE.PAN having no say. */
  readonly privilege: Privilege | "level";
  readonly tlbi: { readonly name: TlbiName; readonly shareability: TlbiShareability } | null;
}

/** By op1 << 11 | CRn << 7 | CRm << 3 | op2. */
const INSTRUCTIONS: ReadonlyMap<number, SystemInstruction> = new Map(
  [...maintenance(), ...addressTranslation(), ...invalidation()].map((instruction) => {
    const [id, rest] = instruction;
    return [id, rest] as const;
  }),
);

/** null: UNDEFINED. @param id op1 << 11 | CRn << 7 | CRm << 3 | op2 */
export function systemInstruction(id: number): SystemInstruction | null {
  return INSTRUCTIONS.get(id) ?? null;
}

/** The operation of a TLBI by name; null: it does nothing. */
export function tlbiByName(name: TlbiInstruction, lo: number, hi: number): TlbiOperation | null {
  const inner = name.endsWith("is");
  const base = (inner ? name.slice(0, -2) : name).toUpperCase() as TlbiName;
  return decodeTlbi(base, inner ? "inner" : "local", lo, hi);
}

type Entry = readonly [id: number, instruction: SystemInstruction];

function entry(
  encoding: readonly [op1: number, CRn: number, CRm: number, op2: number],
  name: string,
  more: Partial<SystemInstruction>,
): Entry {
  const [op1, CRn, CRm, op2] = encoding;
  const id = (op1 << 11) | (CRn << 7) | (CRm << 3) | op2;
  const base = {
    el0: "undefined",
    operation: OPERATION_NONE,
    access: READ,
    privilege: "level",
    tlbi: null,
  } as const;
  return [id, { ...base, name, ...more }];
}

function maintenance(): Entry[] {
  const byAddress = { el0: SCTLR_UCI, operation: OPERATION_MAINTAIN } as const;
  return [
    entry([0, 7, 1, 0], "IC IALLUIS", {}),
    entry([0, 7, 5, 0], "IC IALLU", {}),
    entry([3, 7, 5, 1], "IC IVAU", byAddress),
    entry([0, 7, 6, 1], "DC IVAC", { operation: OPERATION_MAINTAIN, access: WRITE }),
    entry([0, 7, 6, 2], "DC ISW", {}),
    entry([0, 7, 10, 2], "DC CSW", {}),
    entry([0, 7, 14, 2], "DC CISW", {}),
    entry([3, 7, 4, 1], "DC ZVA", { el0: SCTLR_DZE, operation: OPERATION_ZERO, access: WRITE }),
    entry([3, 7, 10, 1], "DC CVAC", byAddress),
    entry([3, 7, 11, 1], "DC CVAU", byAddress),
    entry([3, 7, 12, 1], "DC CVAP", byAddress),
    entry([3, 7, 14, 1], "DC CIVAC", byAddress),
  ];
}

function addressTranslation(): Entry[] {
  const at = (access: AccessKind, privilege: Privilege): Partial<SystemInstruction> => ({
    operation: OPERATION_TRANSLATE,
    access,
    privilege,
  });
  return [
    entry([0, 7, 8, 0], "AT S1E1R", at(READ, IMPLICIT)),
    entry([0, 7, 8, 1], "AT S1E1W", at(WRITE, IMPLICIT)),
    entry([0, 7, 8, 2], "AT S1E0R", at(READ, USER)),
    entry([0, 7, 8, 3], "AT S1E0W", at(WRITE, USER)),
    entry([0, 7, 9, 0], "AT S1E1RP", at(READ, SUPERVISOR)),
    entry([0, 7, 9, 1], "AT S1E1WP", at(WRITE, SUPERVISOR)),
  ];
}

function invalidation(): Entry[] {
  const single = [
    [0, "VMALLE1"],
    [1, "VAE1"],
    [2, "ASIDE1"],
    [3, "VAAE1"],
    [5, "VALE1"],
    [7, "VAALE1"],
  ] as const;
  const range = [
    [1, "RVAE1"],
    [3, "RVAAE1"],
    [5, "RVALE1"],
    [7, "RVAALE1"],
  ] as const;
  const forms = (
    CRm: number,
    shareability: TlbiShareability,
    suffix: string,
    names: readonly (readonly [op2: number, name: TlbiName])[],
  ): Entry[] =>
    names.map(([op2, name]) =>
      entry([0, 8, CRm, op2], `TLBI ${name}${suffix}`, { tlbi: { name, shareability } }),
    );
  return [
    ...forms(1, "outer", "OS", single),
    ...forms(2, "inner", "IS", range),
    ...forms(3, "inner", "IS", single),
    ...forms(5, "outer", "OS", range),
    ...forms(6, "local", "", range),
    ...forms(7, "local", "", single),
  ];
}
