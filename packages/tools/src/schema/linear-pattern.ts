import { RE2JS, RE2JSSyntaxException } from 're2js';

const MAX_PATTERN = 2_000;

/**
 * A regular expression that matches in time proportional to the text, whatever the pattern (RE2; Cox, "Regular
 * Expression Matching Can Be Simple And Fast", 2007). It supports what JSON Schemas use of ECMA-262, except
 * look-around, back-references and counts above 1,000.
 * Throws an `Error` that names what is not supported.
 */
export function linearPattern(pattern: string): { test(text: string): boolean } {
  if (pattern.length > MAX_PATTERN) throw new Error(`a pattern is longer than ${MAX_PATTERN} characters`);
  try {
    const compiled = RE2JS.compile(RE2JS.translateRegExp(pattern));
    return { test: (text) => compiled.matcher(text).find() };
  } catch (error) {
    if (!(error instanceof RE2JSSyntaxException)) throw error;
    const why = error.message.replace(/^error parsing regexp: /, '');
    throw new Error(`the pattern ${JSON.stringify(pattern.slice(0, 100))} cannot be used: ${why}`, {
      cause: error,
    });
  }
}
