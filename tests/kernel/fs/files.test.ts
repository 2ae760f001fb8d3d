import { expect, test } from "vitest";
import { EBADF, EFAULT, EMFILE } from "../../../kernel/errno.ts";
import { Console } from "../../../kernel/fs/console.ts";
import { FileTable, type OpenFile } from "../../../kernel/fs/file-table.ts";
import { HOLE, OTHER, PAGE, READ_ONLY, SyscallBench } from "../syscalls/bench.ts";

const text = (content: string): Uint8Array => new TextEncoder().encode(content);

/** A bench whose processes read `input`; what they write is in `written`. */
function benchWith(input: string): { bench: SyscallBench; written: string[]; asked: () => number } {
  const bench = new SyscallBench();
  const written: string[] = [];
  let asked = 0;
  const platform = {
    console: (stream: string, bytes: Uint8Array) =>
      written.push(`${stream}:${new TextDecoder().decode(bytes)}`),
  };
  const console = new Console(platform as never, () => {
    asked++;
    return text(input);
  });
  (bench.processes.table as unknown as { console: Console }).console = console;
  return { bench, written, asked: () => asked };
}

function readBack(bench: SyscallBench, at: number, length: number): string {
  const bytes = Array.from({ length }, (_, index) => bench.machine.ram.u8[bench.at(at + index)]!);
  return new TextDecoder().decode(Uint8Array.from(bytes));
}

test("reads give the input in pieces and then its end; it is fetched once, by the first read", () => {
  const { bench, asked } = benchWith("hello, world");
  bench.run([
    function* (own, k) {
      expect(asked()).toBe(0);
      expect(yield* own.call(k, "read", 0, PAGE, 5)).toBe(5);
      expect(readBack(own, PAGE, 5)).toBe("hello");
      expect(yield* own.call(k, "read", 0, PAGE, 100)).toBe(7);
      expect(readBack(own, PAGE, 7)).toBe(", world");
      expect(yield* own.call(k, "read", 0, PAGE, 100)).toBe(0);
      expect(asked()).toBe(1);
    },
  ]);
});

test("a read that runs into a page without access gives what fits and keeps the rest", () => {
  const { bench } = benchWith("abcdefgh");
  bench.run([
    function* (own, k) {
      expect(yield* own.call(k, "read", 0, READ_ONLY - 3, 8)).toBe(3);
      expect(yield* own.call(k, "read", 0, READ_ONLY, 8)).toBe(-EFAULT);
      expect(yield* own.call(k, "read", 0, PAGE, 8)).toBe(5);
      expect(readBack(own, PAGE, 5)).toBe("defgh");
    },
  ]);
});

test("readv fills one buffer after the other", () => {
  const { bench } = benchWith("abcdefgh");
  bench.run([
    function* (own, k) {
      own.write64(PAGE, PAGE + 64, 3, OTHER, 0, OTHER, 100);
      expect(yield* own.call(k, "readv", 0, PAGE, 3)).toBe(8);
      expect(readBack(own, PAGE + 64, 3) + readBack(own, OTHER, 5)).toBe("abcdefgh");
    },
  ]);
});

test("writes go to their stream; one that runs into a hole writes whole pages before it", () => {
  const { bench, written } = benchWith("");
  bench.run([
    function* (own, k) {
      own.writeText(PAGE, "out");
      own.writeText(PAGE + 8, "err");
      expect(yield* own.call(k, "write", 1, PAGE, 3)).toBe(3);
      expect(yield* own.call(k, "write", 2, PAGE + 8, 3)).toBe(3);
      expect(written.splice(0)).toEqual(["stdout:out", "stderr:err"]);
      expect(yield* own.call(k, "write", 1, HOLE - 8, 16)).toBe(8);
      own.write64(PAGE, PAGE + 16, 2, HOLE, 4);
      own.writeText(PAGE + 16, "ab");
      expect(yield* own.call(k, "writev", 1, PAGE, 2)).toBe(2);
      expect(written.at(-1)).toBe("stdout:ab");
    },
  ]);
});

test("descriptors can be copied, replaced and closed, also the console's", () => {
  const { bench, written } = benchWith("");
  bench.run([
    function* (own, k) {
      own.writeText(PAGE, "x");
      expect(yield* own.call(k, "dup", 2)).toBe(3);
      expect(yield* own.call(k, "dup2", 3, 1)).toBe(1);
      expect(yield* own.call(k, "write", 1, PAGE, 1)).toBe(1);
      expect(written).toEqual(["stderr:x"]);
      expect(yield* own.call(k, "close", 1)).toBe(0);
      expect(yield* own.call(k, "write", 1, PAGE, 1)).toBe(-EBADF);
      own.write64(PAGE + 64, 4, 4096);
      expect(yield* own.call(k, "setrlimit", 7, PAGE + 64)).toBe(0);
      expect(yield* own.call(k, "dup", 2)).toBe(1);
      expect(yield* own.call(k, "dup", 2)).toBe(-EMFILE);
    },
  ]);
});

test("a table that threads share ends with its last user; a fork's copy has descriptors of its own", () => {
  const table = FileTable.standard();
  const copy = table.clone();
  expect(table.share()).toBe(table);
  expect(copy.close(0)).toBe(true);
  expect([table.get(0)?.kind, copy.get(0)]).toEqual(["stdin", null]);
  table.release();
  expect(table.get(1)?.kind).toBe("stdout");
  table.release();
  expect(table.get(1)).toBeNull();
});

test("the position of an open file is shared by its descriptors", () => {
  const file: OpenFile = {
    ...({ kind: "text", path: "maps", pid: 1, readable: true, writable: false } as const),
    ...{ content: "abc", position: 0 },
  };
  const table = FileTable.standard();
  const fd = table.install(file, 10);
  const copy = table.clone();
  file.position = 2;
  expect([fd, table.get(3), copy.get(3)]).toEqual([3, file, file]);
  expect(copy.install(file, 4)).toBe(-1);
});
