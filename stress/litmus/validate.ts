/** Checks that the parts of a litmus test fit together: names, labels and cores that it uses exist. */
import { UserError } from "../../emu/user-error.ts";
import { atomsOf } from "./condition.ts";
import type { Atom, LitmusTest, Operation, Place } from "./test.ts";

/** @throws UserError with the first thing that is missing */
export function validate(test: LitmusTest): LitmusTest {
  const wrong = (what: string): UserError =>
    new UserError(what, test.file, "see tests/litmus/README.md for the format");
  const cores = test.columns.filter(({ role }) => role === "thread").map(({ core }) => core);
  cores.forEach((core, i) => {
    if (core !== i) throw wrong(`the columns of threads are not P0 to P${cores.length - 1}`);
  });
  const names = new Set(test.locations.map(({ name }) => name));
  const checkPlace = ({ location }: Place): void => {
    if (!names.has(location)) throw wrong(`${location} has no initial value`);
  };
  for (const { place } of test.initial) checkPlace(place);
  for (const { windowOf } of test.locations) {
    if (windowOf !== null && !names.has(windowOf)) throw wrong(`${windowOf} has no initial value`);
  }
  for (const { core, operations } of test.columns) {
    if (!cores.includes(core)) throw wrong(`there is no P${core}`);
    for (const { effect } of operations) {
      if ("place" in effect) checkPlace(effect.place);
      if (effect.kind === "invalidate" && effect.location !== null && !names.has(effect.location)) {
        throw wrong(`${effect.location} has no initial value`);
      }
      if (effect.kind === "ipi" && !cores.includes(effect.core)) throw wrong(`there is no P${effect.core}`);
    }
  }
  for (const atom of [test.question, ...test.permitted].flatMap(atomsOf)) {
    if (atom.kind === "place") checkPlace(atom.place);
    else if (!cores.includes(atom.core)) throw wrong(`there is no P${atom.core}`);
    else if (atom.kind === "fault" && !isLabelled(test, atom)) {
      throw wrong(`P${atom.core} has no access labelled ${atom.label}`);
    } else if (atom.kind === "register" && !isNamed(test, atom)) {
      throw wrong(`no operation of P${atom.core} writes ${atom.name}`);
    }
  }
  return test;
}

function operationsOf(test: LitmusTest, core: number): readonly Operation[] {
  return test.columns.filter((column) => column.core === core).flatMap(({ operations }) => operations);
}

function isLabelled(test: LitmusTest, { core, label }: Extract<Atom, { kind: "fault" }>): boolean {
  return operationsOf(test, core).some(
    (operation) =>
      operation.label === label && "place" in operation.effect && operation.effect.place.level === 0,
  );
}

function isNamed(test: LitmusTest, { core, name }: Extract<Atom, { kind: "register" }>): boolean {
  return operationsOf(test, core).some(({ effect }) => "to" in effect && effect.to === name);
}
