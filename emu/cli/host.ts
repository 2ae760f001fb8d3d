/**
 * The host's side of a run: signals that ask to stop, and output that must not pile up. A run goes on in parts of a
 * few milliseconds; between them the host's event loop has its turn.
 */
import type { StopReason } from "../hardware.ts";
import type { Session } from "./session.ts";

/** Exit status of a command that signal N ended is 128+N. */
const SIGNALS = { SIGINT: 130, SIGTERM: 143, SIGHUP: 129 } as const;
type SignalName = keyof typeof SIGNALS;

export interface RunEnd {
  readonly reason: StopReason;
  /** Exit status that the signal calls for; null: none came. */
  readonly signalStatus: number | null;
}

/**
 * Runs a session until it stops, a limit is reached or a signal arrives; a second signal ends the process at once.
 * @param onPart called between parts, for progress
 */
export async function runToEnd(session: Session, onPart?: () => void): Promise<RunEnd> {
  let signalStatus: number | null = null;
  const names = Object.keys(SIGNALS) as SignalName[];
  const listeners = names.map((name) => {
    const listener = (): void => {
      signalStatus = SIGNALS[name];
    };
    process.once(name, listener);
    return [name, listener] as const;
  });
  try {
    const reason = await session.runInParts(async () => {
      onPart?.();
      await drained(process.stdout);
      await drained(process.stderr);
      await turn();
      return signalStatus !== null;
    });
    return { reason, signalStatus };
  } finally {
    for (const [name, listener] of listeners) process.off(name, listener);
  }
}

/** Waits until the reader of a stream has caught up. */
async function drained(stream: NodeJS.WriteStream): Promise<void> {
  if (!stream.writableNeedDrain) return;
  await new Promise<void>((resolve) => {
    stream.once("drain", resolve);
    stream.once("close", resolve);
  });
}

function turn(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve));
}
