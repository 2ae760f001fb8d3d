/** Data races of kernel code. */
export { Races } from "./races.ts";
