import type { ValidationIssue } from '../errors.ts';

const DEEPEST = 50;
const COMPOSED = ['anyOf', 'oneOf', 'allOf'] as const;
/** Where a reference may point to: the API knows no other schema, and the SDK sends no other definitions. */
const DEFINITION = /^#\/\$defs\/([^/]+)$/;

/**
 * The reasons for which the Messages API would reject this schema as an output format although it is valid JSON Schema:
 * each part must say what it is, and nothing may refer to itself. Keywords that the API does not know are no reason:
 * they are described to the model, and the output is validated with them.
 */
export function outputSchemaIssues(schema: object): ValidationIssue[] {
  const issues: ValidationIssue[] = [];
  check(schema, [], issues);
  if (issues.length === 0) issues.push(...referenceIssues(schema));
  return issues;
}

function check(part: unknown, path: readonly string[], issues: ValidationIssue[]): void {
  const add = (message: string, at?: string): void =>
    void issues.push({ path: [...path, ...(at === undefined ? [] : [at])].join('.'), message });
  if (path.length > DEEPEST) return add(`is nested more than ${DEEPEST} levels deep`);
  if (!isSchema(part)) return add('must be a schema object');
  checkNamed(part['$defs'], [...path, '$defs'], issues);
  if ('$ref' in part) return;
  const composed = COMPOSED.find((keyword) => Array.isArray(part[keyword]));
  if (composed !== undefined) checkNamed(part[composed], [...path, composed], issues);
  else if (!hasLiterals(part) && typeof part['type'] !== 'string') {
    add('must have one type, or a const or an enum of plain values, a $ref, anyOf, oneOf or allOf');
  }
  if (
    composed === 'allOf' &&
    Object.values(part['allOf'] ?? {}).some((entry) => isSchema(entry) && '$ref' in entry)
  ) {
    add('must have no $ref in it', 'allOf');
  }
  if (part['type'] === 'object') {
    checkNamed(part['properties'], [...path, 'properties'], issues);
    for (const keyword of ['additionalProperties', 'patternProperties']) {
      // The model could never write one of them: the API closes every object.
      if (isSchema(part[keyword]) && Object.keys(part[keyword]).length > 0)
        add(
          'is not written by the model, which only knows named properties: make it an array of names and values',
          keyword,
        );
    }
  }
  if (part['type'] === 'array' && 'items' in part) check(part['items'], [...path, 'items'], issues);
}

function checkNamed(parts: unknown, path: readonly string[], issues: ValidationIssue[]): void {
  if (typeof parts !== 'object' || parts === null) return;
  for (const [name, part] of Object.entries(parts)) check(part, [...path, name], issues);
}

/** As the SDK decides whether a part is one of these values; else it needs a type. */
function hasLiterals({ enum: values, const: value }: Record<string, unknown>): boolean {
  const isPlain = (one: unknown): boolean => one === null || typeof one !== 'object';
  return (
    (Array.isArray(values) && values.length > 0 && values.every(isPlain)) ||
    (value !== undefined && isPlain(value))
  );
}

/** References to what is not a definition, and definitions that lead back to themselves. */
function referenceIssues(schema: object): ValidationIssue[] {
  const definitions = new Map(Object.entries((schema as { $defs?: object }).$defs ?? {}));
  const issues: ValidationIssue[] = [];
  const done = new Set<string>();
  const follow = (part: unknown, path: readonly string[], within: readonly string[]): void => {
    for (const { ref, at } of referencesIn(part, path)) {
      const add = (message: string): void => void issues.push({ path: [...at, '$ref'].join('.'), message });
      const name = DEFINITION.exec(ref)?.[1];
      const definition = name === undefined ? undefined : definitions.get(name);
      if (name === undefined || definition === undefined)
        add('must name a definition of the schema, as #/$defs/name');
      else if (within.includes(name)) add(`leads back to ${name}: the model API accepts no recursive schema`);
      else if (!done.has(name)) {
        follow(definition, ['$defs', name], [...within, name]);
        done.add(name);
      }
    }
  };
  const { $defs: _followed, ...root } = schema as Record<string, unknown>;
  follow(root, [], []);
  for (const [name, definition] of definitions) {
    if (done.has(name)) continue;
    follow(definition, ['$defs', name], [name]);
    done.add(name);
  }
  return issues;
}

/** Those of the parts that `check` has looked at; a property may be called `$ref`. */
function referencesIn(part: unknown, path: readonly string[]): { ref: string; at: readonly string[] }[] {
  if (!isSchema(part)) return [];
  const { $defs, properties, items } = part;
  const isReference = '$ref' in part;
  const named: Record<string, unknown> = {
    $defs,
    ...(isReference ? {} : Object.fromEntries(COMPOSED.map((keyword) => [keyword, part[keyword]]))),
    ...(!isReference && part['type'] === 'object' ? { properties } : {}),
  };
  const inner = Object.entries(named).flatMap(([keyword, parts]) =>
    Object.entries(Object(parts) as object).flatMap(([name, value]) =>
      referencesIn(value, [...path, keyword, name]),
    ),
  );
  if (isReference) return [{ ref: String(part['$ref']), at: path }, ...inner];
  return part['type'] === 'array' ? [...inner, ...referencesIn(items, [...path, 'items'])] : inner;
}

function isSchema(part: unknown): part is Record<string, unknown> {
  return typeof part === 'object' && part !== null && !Array.isArray(part);
}
