/**
 * A litmus test, whatever the architecture: threads as columns of operations, an initial state, and a question about
 * final states. The shape is that of herdtools7's litmus files (J. Alglave, L. Maranget, M. Tautschnig, "Herding Cats",
 * TOPLAS 2014; virtual memory: J. Alglave et al., "Relaxed virtual memory in Armv8-A", ESOP 2022): a location x is a
 * page of its own with a frame of its own, PA(x), and PTE(x) is the word that maps it.
 */

export type Architecture = "x86-64" | "aarch64" | "ppc64";

/** Level of a table entry, counted from the leaf table: 1 PTE, 2 PDE, 3 PDPTE, 4 PML4E. 0: the data itself. */
export type Level = 0 | 1 | 2 | 3 | 4;

/** A word that threads share: location x, or the entry of a level that its address selects under one root. */
export interface Place {
  readonly location: string;
  readonly level: Level;
  /** Number of the root table, 0 unless the test loads others. */
  readonly root: number;
}

/** What an entry leads to. */
export type Target =
  | { readonly kind: "frame"; readonly location: string }
  | { readonly kind: "table"; readonly location: string; readonly root: number };

/** Fields of a table entry by the architecture's names (x86-64: P RW US A D PS G XD RSVD; AArch64: valid af db dbm …). */
export interface EntryValue {
  readonly target: Target | null;
  readonly fields: Readonly<Record<string, number>>;
}

export type Value =
  | { readonly kind: "number"; readonly value: number }
  | { readonly kind: "register"; readonly name: string }
  | { readonly kind: "entry"; readonly entry: EntryValue };

/** How far an invalidation reaches, and what it names. */
export interface Invalidation {
  readonly kind: "invalidate";
  /** Page: what translates one address; context: a tag; both with or without global entries, as `mnemonic` has it. */
  readonly scope: "page" | "context" | "all" | "all-but-global";
  readonly reach: "core" | "all-cores";
  readonly location: string | null;
  /** PCID or ASID that is named; null: the present one. */
  readonly context: number | null;
  readonly mnemonic: string;
}

export type Effect =
  | { readonly kind: "load"; readonly to: string; readonly place: Place }
  | { readonly kind: "store"; readonly place: Place; readonly value: Value }
  /** Atomic: the old value goes to the register. */
  | { readonly kind: "exchange"; readonly place: Place; readonly value: Value; readonly to: string }
  | { readonly kind: "add"; readonly place: Place; readonly to: string }
  /** Atomic: clears one bit. */
  | { readonly kind: "clear-bit"; readonly place: Place; readonly bit: number }
  /** A call to code that lies in the location's frame; it returns the frame's number in the register. */
  | { readonly kind: "fetch"; readonly to: string; readonly place: Place }
  | { readonly kind: "assign"; readonly to: string; readonly value: Value }
  | { readonly kind: "barrier"; readonly mnemonic: string }
  | { readonly kind: "serialise"; readonly mnemonic: string }
  | Invalidation
  /** Loads the root register: root table, tag, and whether the tag's entries are kept. */
  | { readonly kind: "context"; readonly root: number; readonly tag: number; readonly keeps: 0 | 1 }
  /** Turns the use of global pages on or off (x86-64: CR4.PGE). */
  | { readonly kind: "globals"; readonly on: 0 | 1 }
  | { readonly kind: "interrupt-mask"; readonly masked: 0 | 1 }
  /** An interprocessor interrupt to another core, which runs its handler column. */
  | { readonly kind: "ipi"; readonly core: number }
  /** Loads until the value is there. */
  | { readonly kind: "await"; readonly place: Place; readonly value: number };

export interface Operation {
  readonly effect: Effect;
  /** As it stands in the file. */
  readonly text: string;
  readonly label: string | null;
  /** The verdict rests on it: without it (marked `?`) a forbidden outcome is reached. */
  readonly isEssential: boolean;
  /** It lies behind a branch that is never taken: it may be speculated and is not executed. */
  readonly isUntaken: boolean;
}

/** A column: what a core executes, or what it executes when an interprocessor interrupt arrives. */
export interface Column {
  readonly core: number;
  readonly role: "thread" | "handler";
  readonly operations: readonly Operation[];
}

export type Atom =
  | { readonly kind: "register"; readonly core: number; readonly name: string; readonly value: Value }
  | { readonly kind: "place"; readonly place: Place; readonly value: Value }
  /** The labelled access faulted; `bits`: error-code bits that the fault must have, by the manual's names. */
  | {
      readonly kind: "fault";
      readonly core: number;
      readonly label: string;
      readonly bits: readonly string[];
    };

export type Condition =
  | { readonly kind: "true" }
  | { readonly kind: "atom"; readonly atom: Atom }
  | { readonly kind: "not"; readonly of: Condition }
  | { readonly kind: "and" | "or"; readonly left: Condition; readonly right: Condition };

/**
 * forbidden: no final state satisfies the question; allowed: some may, and one is looked for; required: every one does;
 * unspecified: the manual promises neither; unstated: the file does not say.
 */
export type Verdict = "forbidden" | "allowed" | "required" | "unspecified" | "unstated";

/** A model of the architecture: the base one, or with an extension that forbids more (AArch64: FEAT_ETS2). */
export type LitmusVariant = "base" | "ETS2";

/** The verdict of a test in a model: `VerdictETS2` of the file, or that of the base model. */
export function verdictOf({ verdict, settings }: LitmusTest, variant: LitmusVariant): Verdict {
  return variant === "ETS2" ? (namedVerdict(settings["VerdictETS2"]) ?? verdict) : verdict;
}

/** What a file says: herd's words, or those of Verdict. null: it says nothing that is a verdict. */
export function namedVerdict(text: string | undefined): Verdict | null {
  switch (text) {
    case "Never":
      return "forbidden";
    case "Sometimes":
      return "allowed";
    case "Always":
      return "required";
    case "Unspecified":
      return "unspecified";
    default:
      return null;
  }
}

export interface InitialPlace {
  readonly place: Place;
  readonly value: Value;
}

export interface LitmusTest {
  readonly architecture: Architecture;
  readonly name: string;
  readonly file: string;
  /** Row of the table of virtual-memory tests that it is an instance of; null: none. */
  readonly row: string | null;
  /** What the verdict rests on: title, section, and the rule in our words. */
  readonly source: string | null;
  readonly verdict: Verdict;
  /** In the order in which they are named first; each with the 2 MiB region it lies in. */
  readonly locations: readonly Location[];
  readonly initial: readonly InitialPlace[];
  readonly columns: readonly Column[];
  readonly question: Condition;
  /** Final states that are permitted at all, if the file lists them: each must satisfy one of these. */
  readonly permitted: readonly Condition[];
  /** Settings of the machine by name (x86-64: PCIDE, CR3; AArch64: TTHM). */
  readonly settings: Readonly<Record<string, string>>;
}

export interface Location {
  readonly name: string;
  readonly region: number;
  /** A 2 MiB leaf maps it; a window is an address that reads the leaf table of another location through a self-map. */
  readonly mapping: "page" | "large" | "window";
  readonly windowOf: string | null;
}

/** The cores of a test. */
export function coresOf(test: LitmusTest): number {
  return Math.max(...test.columns.map((column) => column.core)) + 1;
}

/** The test without one operation of one of its columns: what it is there for shows in what becomes possible. */
export function without(test: LitmusTest, left: Operation): LitmusTest {
  const columns = test.columns.map((column) => ({
    ...column,
    operations: column.operations.filter((operation) => operation !== left),
  }));
  return { ...test, name: `${test.name} without ${left.text}`, columns };
}

/** The operations that the verdict rests on. */
export function essentials(test: LitmusTest): Operation[] {
  return test.columns.flatMap((column) => column.operations.filter((operation) => operation.isEssential));
}

/** `x`, `PTE(x)`, `PDE(x@1)`. */
export function placeName({ location, level, root }: Place): string {
  const names = ["", "PTE", "PDE", "PDPTE", "PML4E"] as const;
  const at = root === 0 ? location : `${location}@${root}`;
  return level === 0 ? at : `${names[level]}(${at})`;
}
