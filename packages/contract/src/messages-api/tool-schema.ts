import type { ValidationIssue } from '../errors.ts';

/** The property names that the Messages API accepts at the top level of a tool's schema. */
const PROPERTY_KEY = /^[a-zA-Z0-9_.-]{1,64}$/;

const REFUSED_KEYWORDS = ['oneOf', 'anyOf', 'allOf'] as const;

/**
 * The reasons for which the Messages API would reject this `input_schema` although it is valid JSON Schema. The API
 * restricts only the top level: nested properties may have any name and may use unions.
 */
export function toolSchemaIssues(schema: object): ValidationIssue[] {
  const issues: ValidationIssue[] = REFUSED_KEYWORDS.filter((keyword) => keyword in schema).map(
    (keyword) => ({
      path: keyword,
      message:
        'the model accepts no oneOf, anyOf or allOf at the top level of a schema, only within a property',
    }),
  );
  const { properties } = schema as { properties?: unknown };
  if (typeof properties !== 'object' || properties === null) return issues;
  for (const key of Object.keys(properties)) {
    if (PROPERTY_KEY.test(key)) continue;
    issues.push({
      path: `properties.${key}`,
      message: 'the model accepts only property names of 1 to 64 characters from a-z, A-Z, 0-9, _, . and -',
    });
  }
  return issues;
}
