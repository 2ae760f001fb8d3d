/** The broken variants in the catalogue's order. */
import type { BrokenVariant } from "../variant.ts";
import { A01 } from "./a01.ts";
import { A02 } from "./a02.ts";
import { A03 } from "./a03.ts";
import { A04 } from "./a04.ts";
import { A05 } from "./a05.ts";
import { A05_LATE } from "./a05-late.ts";
import { A07 } from "./a07.ts";
import { A10 } from "./a10.ts";
import { A11 } from "./a11.ts";
import { A12 } from "./a12.ts";
import { A13 } from "./a13.ts";
import { A14 } from "./a14.ts";
import { A16 } from "./a16.ts";
import { A17 } from "./a17.ts";
import { A21 } from "./a21.ts";
import { A22 } from "./a22.ts";
import { A26 } from "./a26.ts";
import { A31 } from "./a31.ts";
import { C01 } from "./c01.ts";
import { C04 } from "./c04.ts";
import { C07 } from "./c07.ts";
import { C08 } from "./c08.ts";
import { C09 } from "./c09.ts";
import { C10 } from "./c10.ts";
import { C11 } from "./c11.ts";
import { C12 } from "./c12.ts";
import { C13A, C13B, C13C, C13D } from "./c13.ts";
import { C14_ISH, C14_ISHST, C14_LOCAL } from "./c14.ts";
import { C15 } from "./c15.ts";
import { C18 } from "./c18.ts";
import { C22 } from "./c22.ts";
import { C27 } from "./c27.ts";
import { C28 } from "./c28.ts";
import { EARLY_ACK } from "./early-ack.ts";
import { NO_PTE_SAME } from "./no-pte-same.ts";

export const BROKEN: readonly BrokenVariant[] = [
  A01,
  A02,
  A03,
  A04,
  A05,
  A05_LATE,
  A07,
  A10,
  A11,
  A12,
  A13,
  A14,
  A16,
  A17,
  A21,
  A22,
  A26,
  A31,
  NO_PTE_SAME,
  C01,
  C04,
  C07,
  C08,
  C09,
  C10,
  C11,
  C12,
  C13A,
  C13B,
  C13C,
  C13D,
  C14_ISHST,
  C14_ISH,
  C14_LOCAL,
  C15,
  C18,
  C22,
  C27,
  C28,
  EARLY_ACK,
];
