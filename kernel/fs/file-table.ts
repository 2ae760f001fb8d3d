/** Descriptors of a process (struct files_struct), shared by the tasks of CLONE_FILES. Plain data. */

/** An open file (struct file); descriptors of forked processes share it, so its position is shared. */
export type OpenFile =
  | { readonly kind: "stdin" }
  | { readonly kind: "stdout" }
  | { readonly kind: "stderr" }
  | {
      readonly kind: "directory";
      /** The names that lead to it from the root. */
      readonly names: readonly string[];
      position: number;
    }
  | {
      readonly kind: "text";
      readonly path: "maps" | "vmstat";
      /** Process whose /proc files it shows. */
      readonly pid: number;
      readonly readable: boolean;
      readonly writable: boolean;
      /** What a read at offset 0 last generated; null: nothing was read so far. */
      content: string | null;
      position: number;
    };

/** NR_OPEN_DEFAULT of RLIMIT_NOFILE bounds the descriptors. */
const MAX_DESCRIPTORS = 4096;

export class FileTable {
  #users = 1;
  readonly #files: (OpenFile | null)[];

  constructor(files: readonly (OpenFile | null)[], users = 1) {
    this.#files = [...files];
    this.#users = users;
  }

  /** Descriptors 0, 1 and 2 on the console. */
  static standard(): FileTable {
    return new FileTable([{ kind: "stdin" }, { kind: "stdout" }, { kind: "stderr" }]);
  }

  get(fd: number): OpenFile | null {
    return fd >= 0 && fd < this.#files.length ? this.#files[fd]! : null;
  }

  /** The lowest free descriptor below a limit for a file, or -1. */
  install(file: OpenFile, limit: number): number {
    let fd = this.#files.indexOf(null);
    if (fd < 0) fd = this.#files.length;
    if (fd >= Math.min(limit, MAX_DESCRIPTORS)) return -1;
    this.#files[fd] = file;
    return fd;
  }

  /** Puts a file at a descriptor, whatever was there. */
  replace(fd: number, file: OpenFile): void {
    while (this.#files.length < fd) this.#files.push(null);
    this.#files[fd] = file;
  }

  /** False: there was no such descriptor. */
  close(fd: number): boolean {
    if (this.get(fd) === null) return false;
    this.#files[fd] = null;
    return true;
  }

  /** Another user of the same table. */
  share(): FileTable {
    this.#users++;
    return this;
  }

  /** A table of its own on the same files. */
  clone(): FileTable {
    return new FileTable(this.#files);
  }

  /** A user is gone; the last one closes everything. */
  release(): void {
    if (--this.#users === 0) this.#files.length = 0;
  }

  /** Becomes a table with so many users; `places` says which of the files each descriptor has, or -1. */
  restore(places: readonly number[], files: readonly OpenFile[], users: number): void {
    this.#files.length = places.length;
    for (let fd = 0; fd < places.length; fd++) this.#files[fd] = files[places[fd]!] ?? null;
    this.#users = users;
  }

  get users(): number {
    return this.#users;
  }

  /** The files by descriptor. */
  get files(): readonly (OpenFile | null)[] {
    return this.#files;
  }
}
