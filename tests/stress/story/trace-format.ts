/** A validator of Chrome trace events: what viewers need to open a file and to draw it right. */

interface Record_ {
  readonly ph: string;
  readonly name: string;
  readonly pid: number;
  readonly tid: number;
  readonly ts: number;
  readonly dur?: number;
  readonly id?: number;
  readonly s?: string;
  readonly bp?: string;
  readonly cat?: string;
}

/** What is wrong with the text of a trace; nothing: it can be opened. */
export function traceFaults(text: string): string[] {
  const faults: string[] = [];
  const { traceEvents, displayTimeUnit } = JSON.parse(text) as {
    traceEvents: Record_[];
    displayTimeUnit: string;
  };
  if (displayTimeUnit !== "ns" && displayTimeUnit !== "ms") faults.push(`displayTimeUnit ${displayTimeUnit}`);
  const open = new Map<string, Record_[]>();
  const last = new Map<string, number>();
  /** Ends of the last complete slices. */
  const ends = new Map<string, number>();
  const flows = new Map<number, number>();
  const named = new Set<string>();
  for (const [at, event] of traceEvents.entries()) {
    const { ph, name, pid, tid, ts, dur, id } = event;
    const track = `${pid}/${tid}`;
    const fault = (what: string): number => faults.push(`event ${at} (${ph} ${name}): ${what}`);
    if (typeof name !== "string" || name === "") fault("no name");
    if (!Number.isInteger(pid) || !Number.isInteger(tid)) fault("no track");
    if (ph === "M") {
      if (name === "thread_name") named.add(track);
      continue;
    }
    if (!Number.isFinite(ts) || ts < 0) fault("no time");
    if (ts < (last.get(track) ?? 0)) fault("goes back in time");
    last.set(track, ts);
    if (!named.has(track)) fault("its track has no name");
    if (!open.has(track)) open.set(track, []);
    const stack = open.get(track)!;
    switch (ph) {
      case "B":
        stack.push(event);
        break;
      case "E":
        if (stack.pop()?.name !== name) fault("ends what is not the innermost slice");
        break;
      case "X":
        if (dur === undefined || dur < 0) fault("no duration");
        ends.set(track, ts + (dur ?? 0));
        break;
      case "i":
        if (event.s !== "t") fault("no scope");
        break;
      case "s":
        if (id === undefined || flows.has(id)) fault("no id of its own");
        else flows.set(id, ts);
        break;
      case "f":
        if (id === undefined || !flows.has(id)) fault("a flow that never began");
        else if (flows.get(id)! > ts) fault("a flow that ends before it begins");
        if (event.bp !== "e") fault("not bound to the slice around it");
        if (stack.length === 0 && ts > (ends.get(track) ?? -1)) fault("no slice around it");
        flows.delete(id ?? -1);
        break;
      default:
        fault("an unknown phase");
    }
  }
  for (const [track, stack] of open)
    for (const { name } of stack) faults.push(`${track}: ${name} never ends`);
  for (const id of flows.keys()) faults.push(`flow ${id} never ends`);
  return faults;
}
