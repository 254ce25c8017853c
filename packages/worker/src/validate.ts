import type { SchemaIssue, ToolSchema } from './tool-schema.ts';

const MOST_ISSUES = 5;

export type Checked = { valid: true; value: unknown } | { valid: false; issues: string };

/** Checks a value by a schema. Throws what the schema throws. */
export async function validate(schema: ToolSchema, value: unknown): Promise<Checked> {
  const result = await schema['~standard'].validate(value);
  if (result.issues === undefined) return { valid: true, value: result.value };
  const issues = result.issues.slice(0, MOST_ISSUES).map(describe).join('; ');
  return { valid: false, issues: issues.slice(0, 2_000) };
}

function describe({ path = [], message }: SchemaIssue): string {
  const keys = path.map((part) => String(typeof part === 'object' ? part.key : part));
  return keys.length === 0 ? message : `${keys.join('.')}: ${message}`;
}
