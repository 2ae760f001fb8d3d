import { expect, test } from "vitest";
import { Guest } from "../../matrix/guest.ts";

/** The program checks SIGCHLD of stops and continuations, and what wait4() makes of them, as it does on a real Linux. */
test.each([1, 2, 4])("parents learn of stops and continuations on %i cores", (cpus) => {
  const end = new Guest({ program: "processes", cpus }).run();
  expect(end.stdout).toContain("as they must be");
  expect(end.status).toBe(0);
});
