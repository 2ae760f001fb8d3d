import { test } from "vitest";
import { runProgram } from "./support/program-run.ts";
import { Witness } from "../../../stress/oracle/witness/witness.ts";
import { Structure } from "../../../stress/oracle/structure.ts";
import { Lifetime } from "../../../stress/oracle/lifetime.ts";
import { violationText } from "../../../stress/oracle/violation.ts";
test("x", () => {
  for (const program of ["pkeys","highaddr","proc","services","calls","errors","oom","wild","pingpong","mmap1","mmap2"]) for (const d of ["spf-mm"]) {
    const t=Date.now();
    const r = runProgram({ program, design: d, seed: 5, cpus: 3, parts: (w) => [new Witness(w), new Structure(w), new Lifetime(w)] });
    console.log(program, d, r.reason.kind, r.reason.status, Date.now()-t, r.violations.slice(0,1).map(violationText).join("\n"));
  }
}, 580000);
