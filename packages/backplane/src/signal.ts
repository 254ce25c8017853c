/** A small JSON object, at most 4 kB, that says what changed. */
export type Signal = Record<string, unknown>;
