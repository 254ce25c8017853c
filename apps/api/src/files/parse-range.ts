import { ProblemError } from '@turnpike/contract';
import type { ByteRange } from '@turnpike/files';

/**
 * The part that a `Range` header asks for; null for the whole. Several ranges, and other units, are ignored, as
 * RFC 9110 allows. Throws `range_not_satisfiable`.
 */
export function parseRange(header: string | undefined, bytes: number): ByteRange | null {
  const match = /^bytes=(\d{0,15})-(\d{0,15})$/.exec(header?.trim() ?? '');
  if (match === null) return null;
  const [, first = '', last = ''] = match;
  if (first === '' && last === '') return null;
  const start = first === '' ? Math.max(0, bytes - Number(last)) : Number(first);
  const end = first === '' || last === '' ? bytes : Math.min(bytes, Number(last) + 1);
  if (first !== '' && last !== '' && Number(last) < Number(first)) return null;
  if (start < end) return { start, end };
  throw new ProblemError('range_not_satisfiable', `The file has ${bytes} bytes.`);
}
