import type { ValidationIssue } from '../errors.ts';

/** What the Messages API takes as the name of a property at the top level of a tool's schema. */
const PROPERTY_KEY = /^[a-zA-Z0-9_.-]{1,64}$/;

const REFUSED_KEYWORDS = ['oneOf', 'anyOf', 'allOf'] as const;

/**
 * Why the Messages API would refuse this `input_schema`, beside what makes it no JSON Schema; empty where it
 * would not. It looks at the top level alone: nested properties may have any name, and unions.
 */
export function toolSchemaIssues(schema: object): ValidationIssue[] {
  const issues: ValidationIssue[] = REFUSED_KEYWORDS.filter((keyword) => keyword in schema).map(
    (keyword) => ({
      path: keyword,
      message:
        'the model takes no oneOf, anyOf or allOf at the top level of a schema, only within a property',
    }),
  );
  const { properties } = schema as { properties?: unknown };
  if (typeof properties !== 'object' || properties === null) return issues;
  for (const key of Object.keys(properties)) {
    if (PROPERTY_KEY.test(key)) continue;
    issues.push({
      path: `properties.${key}`,
      message: 'the model takes names of properties of 1 to 64 of a-z, A-Z, 0-9, _, . and -',
    });
  }
  return issues;
}
