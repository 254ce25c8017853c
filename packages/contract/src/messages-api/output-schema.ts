import type { ValidationIssue } from '../errors.ts';

const DEEPEST = 50;
const COMPOSED = ['anyOf', 'oneOf', 'allOf'] as const;

/**
 * The reasons for which the Messages API would reject this schema as an output format although it is valid JSON Schema:
 * each part must say what it is. Keywords that the API does not know are no reason: they are described to the model,
 * and the output is validated with them.
 */
export function outputSchemaIssues(schema: object): ValidationIssue[] {
  const issues: ValidationIssue[] = [];
  check(schema, [], issues);
  return issues;
}

function check(part: unknown, path: readonly string[], issues: ValidationIssue[]): void {
  const add = (message: string): void => void issues.push({ path: path.join('.'), message });
  if (path.length > DEEPEST) return add(`is nested more than ${DEEPEST} levels deep`);
  if (typeof part !== 'object' || part === null || Array.isArray(part)) return add('must be a schema object');
  const schema = part as Record<string, unknown>;
  checkNamed(schema['$defs'], [...path, '$defs'], issues);
  if ('$ref' in schema) return;
  const composed = COMPOSED.find((keyword) => Array.isArray(schema[keyword]));
  if (composed !== undefined) checkNamed(schema[composed], [...path, composed], issues);
  else if (!('enum' in schema) && !('const' in schema) && typeof schema['type'] !== 'string') {
    add('must have one type, or an enum, a const, a $ref, anyOf, oneOf or allOf');
  }
  if (schema['type'] === 'object') checkNamed(schema['properties'], [...path, 'properties'], issues);
  if (schema['type'] === 'array' && 'items' in schema) check(schema['items'], [...path, 'items'], issues);
}

function checkNamed(parts: unknown, path: readonly string[], issues: ValidationIssue[]): void {
  if (typeof parts !== 'object' || parts === null) return;
  for (const [name, part] of Object.entries(parts)) check(part, [...path, name], issues);
}
