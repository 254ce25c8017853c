import { test } from '@jest/globals';

/** With `CHAOS=long` suites take as long as they need to be sure; else they are short enough for every run. */
export const IS_LONG = process.env['CHAOS'] === 'long';

/** The numbers of a test that has a short form, which has all kinds of cases, and a long one, which has many of each. */
export function byLength<Value>(values: { short: Value; long: Value }): Value {
  return IS_LONG ? values.long : values.short;
}

/** Runs in the long form only: what checks a suite of the long form, rather than a promise. */
export const testOfLongForm = IS_LONG ? test : test.skip;
