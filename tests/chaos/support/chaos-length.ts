/** With `CHAOS=long` the suite takes as long as it needs to be sure; else it is short enough for every run. */
const IS_LONG = process.env['CHAOS'] === 'long';

export function byLength<Value>(values: { short: Value; long: Value }): Value {
  return IS_LONG ? values.long : values.short;
}

/** Only ends a case that would never end. */
export const CASE_LIMIT_MS = byLength({ short: 300_000, long: 1_800_000 });
