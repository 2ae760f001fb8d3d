/** Runs a guest that writes all its RAM and prints the largest resident size of this process in bytes. */
import { Guest } from "../matrix/guest.ts";
import { MEASURED_RAM_BYTES } from "./processes.ts";

const end = new Guest({ program: "oom", cpus: 4, memoryBytes: MEASURED_RAM_BYTES }).run();
if (end.status !== 137) throw new Error(`oom ended with status ${end.status}: ${end.text}`);
process.stdout.write(String(process.resourceUsage().maxRSS * 1024));
