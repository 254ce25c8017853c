import { isWholeNumber, replaceInexact, type InputSchema } from '@turnpike/contract';
import type { GivenInput } from '../given-tool.ts';
import { explainInexact } from '../explain-inexact.ts';
import type { InputSchemas } from './input-schemas.ts';

/**
 * Null if the input is valid; else the reasons, as the model is told. The validator knows only doubles. A number that
 * is not exactly a double is checked as the nearest one and as those on either side of it; where the three are not
 * judged alike, its validity cannot be decided.
 */
export async function explainInput(
  schemas: InputSchemas,
  tenantId: string,
  schema: InputSchema,
  input: GivenInput,
): Promise<string | null> {
  const { value, text, inexact } = input;
  if (text === null || inexact.length === 0) return schemas.explain(tenantId, schema, value);
  if (inexact.some(seemsWhole) || JSON.stringify(schema).includes('"multipleOf"'))
    return explainInexact(input);
  const verdicts = await Promise.all(
    [nearest, below, above].map((neighbour) => {
      const checkable = replaceInexact(text, (number) => String(neighbour(nearest(Number(number)))));
      return schemas.explain(tenantId, schema, JSON.parse(checkable));
    }),
  );
  const [verdict = null] = verdicts;
  const isSure = verdicts.every((other) => (other === null) === (verdict === null));
  return isSure ? verdict : explainInexact(input);
}

/** A number with a fraction whose nearest double has none. */
function seemsWhole(number: string): boolean {
  return Number.isInteger(Number(number)) && !isWholeNumber(number);
}

function nearest(number: number): number {
  return Math.max(-Number.MAX_VALUE, Math.min(Number.MAX_VALUE, number));
}

function below(number: number): number {
  return -above(-number);
}

/** The next larger double; the largest stays as it is. */
function above(number: number): number {
  if (number === 0) return Number.MIN_VALUE;
  const bits = new DataView(new ArrayBuffer(8));
  bits.setFloat64(0, number);
  bits.setBigInt64(0, bits.getBigInt64(0) + (number > 0 ? 1n : -1n));
  return nearest(bits.getFloat64(0));
}
