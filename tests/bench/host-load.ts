/** A result does not depend on the load of the host: one racy program many times while other processes come and go. */
import { type ChildProcess, spawn } from "node:child_process";
import { availableParallelism } from "node:os";
import { Guest } from "../matrix/guest.ts";
import type { Measurement } from "./row.ts";

const RUNS = 20;
/** Works and sleeps in turns of random length. */
export const LOAD = `
  const turn = () => {
    const until = Date.now() + Math.random() * 40;
    while (Date.now() < until);
    setTimeout(turn, Math.random() * 40);
  };
  turn();
`;

export const hostLoad: Measurement = {
  name: "host-load",
  what: `different results of a racy program in ${RUNS} runs under random host load`,
  unit: "",
  asked: 1,
  goal: null,
  better: "less",
  samples: 1,
  sample: () => {
    const load: ChildProcess[] = Array.from({ length: 2 * availableParallelism() }, () =>
      spawn(process.execPath, ["-e", LOAD], { stdio: "ignore" }),
    );
    try {
      const results = new Set<string>();
      for (let run = 0; run < RUNS; run++) {
        const guest = new Guest({ program: "mmaprace", cpus: 4, design: "spf-mm" });
        const end = guest.run();
        results.add(`${guest.hashes()} ${end.status} ${end.stdout} ${end.stderr}`);
      }
      return results.size;
    } finally {
      for (const child of load) child.kill();
    }
  },
};
