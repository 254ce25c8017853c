/** Text of one output, as for other tools. */
export const OUTPUT_LIMITS = { maxTextCharacters: 64_000, maxMediaCharacters: 8_000_000 };
