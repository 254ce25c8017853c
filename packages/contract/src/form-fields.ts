import { z } from 'zod';

/** A field of a form, which is text: `read` makes of it what `schema` checks. */
export const formText = <Schema extends z.ZodType>(read: (text: string) => unknown, schema: Schema) =>
  z.string().transform(read).pipe(schema);

/** Text that is no JSON stays text, which a schema refuses. */
export function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return text;
  }
}
