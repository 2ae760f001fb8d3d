/** Mutations that no scenario shows, and why: the step is not needed by what the kernel does today. */
export const EXPLAINED: Readonly<Record<string, string>> = {};
