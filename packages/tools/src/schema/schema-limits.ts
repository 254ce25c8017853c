/** Characters of JSON. Checked before a schema is given to a thread. */
export const MAX_SCHEMA_CHARACTERS = 100_000;
const MOST_LEVELS = 100;
const MOST_PATTERNS = 100;
/** Subschemas, each counted as often as references lead to it. */
const MOST_EXPANDED = 20_000;

/**
 * Why a schema is too large to be compiled, in words for its author; null if it is not. Takes time in proportion to
 * the size of the schema.
 */
export function exceededLimit(schema: object): string | null {
  const found = { levels: 0, patterns: 0 };
  walk(schema, 0, found);
  if (found.levels > MOST_LEVELS) return `it is nested too deeply: more than ${MOST_LEVELS} levels`;
  if (found.patterns > MOST_PATTERNS)
    return `it has ${found.patterns} patterns, and may have ${MOST_PATTERNS}`;
  if (expandedSize(schema) > MOST_EXPANDED) {
    return `its references lead to more than ${MOST_EXPANDED} subschemas, so checking an input takes too long`;
  }
  return null;
}

function walk(part: unknown, level: number, found: { levels: number; patterns: number }): void {
  if (typeof part !== 'object' || part === null) return;
  found.levels = Math.max(found.levels, level);
  if (level > MOST_LEVELS) return;
  for (const [name, value] of Object.entries(part)) {
    if (name === 'pattern' && typeof value === 'string') found.patterns += 1;
    if (name === 'patternProperties' && typeof value === 'object' && value !== null) {
      found.patterns += Object.keys(value).length;
    }
    walk(value, level + 1, found);
  }
}

/**
 * The number of subschemas that a check may visit at one position of the input. A subschema is counted at each
 * reference to it. A reference to one that is being counted counts nothing: it applies deeper in the input, or never
 * ends, which a check finds out.
 */
function expandedSize(schema: object): number {
  const sizes = new Map<unknown, number>();
  const named = new Map<string, unknown>();
  nameParts(schema, named);
  const sizeOf = (part: unknown): number => {
    if (typeof part !== 'object' || part === null) return 0;
    const known = sizes.get(part);
    if (known !== undefined) return known;
    sizes.set(part, 0);
    let size = 1;
    for (const [name, value] of Object.entries(part)) {
      if (name === '$defs' || name === 'definitions') continue;
      const isReference = (name === '$ref' || name === '$dynamicRef') && typeof value === 'string';
      size += sizeOf(isReference ? partAt(value, schema, named) : value);
    }
    sizes.set(part, size);
    return size;
  };
  return sizeOf(schema);
}

/** Collects subschemas by their `$id` and by their anchors. */
function nameParts(part: unknown, named: Map<string, unknown>): void {
  if (typeof part !== 'object' || part === null) return;
  for (const [name, value] of Object.entries(part)) {
    if ((name === '$anchor' || name === '$dynamicAnchor') && typeof value === 'string')
      named.set(`#${value}`, part);
    if (name === '$id' && typeof value === 'string') named.set(value, part);
    nameParts(value, named);
  }
}

/**
 * The subschema that a reference points to. Its pointer is followed, rather than looked up in an index of all pointers:
 * these can be far longer together than the schema.
 */
function partAt(reference: string, schema: object, named: ReadonlyMap<string, unknown>): unknown {
  const [id = '', pointer] = reference.split('#', 2);
  if (pointer !== undefined && pointer !== '' && !pointer.startsWith('/')) return named.get(`#${pointer}`);
  let part: unknown = id === '' ? schema : named.get(id);
  for (const token of (pointer ?? '').split('/').slice(1)) {
    const name = decoded(token).replaceAll('~1', '/').replaceAll('~0', '~');
    if (typeof part !== 'object' || part === null || !Object.hasOwn(part, name)) return undefined;
    part = Reflect.get(part, name);
  }
  return part;
}

function decoded(token: string): string {
  try {
    return decodeURIComponent(token);
  } catch {
    return token;
  }
}
