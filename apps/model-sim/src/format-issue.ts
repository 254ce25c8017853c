import type { z } from 'zod';

/** A zod issue in the words of the Messages API (which are pydantic's), such as `Field required`. */
export function describeIssue(issue: z.core.$ZodRawIssue): string {
  if (issue.input === undefined && issue.code !== 'unrecognized_keys') return 'Field required';
  switch (issue.code) {
    case 'invalid_type':
      return `Input should be a valid ${TYPE_NAMES[String(issue['expected'])] ?? String(issue['expected'])}`;
    case 'invalid_value':
      return `Input should be ${listOf(issue['values'])}`;
    case 'too_small':
      if (issue['origin'] === 'string') return `String should have at least ${lengthOf(issue['minimum'])}`;
      return `Input should be greater than or equal to ${String(issue['minimum'])}`;
    case 'too_big':
      if (issue['origin'] === 'string') return `String should have at most ${lengthOf(issue['maximum'])}`;
      return `Input should be less than or equal to ${String(issue['maximum'])}`;
    case 'invalid_format':
      return `String should match pattern '${String(issue['pattern']).replace(/^\/|\/$/g, '')}'`;
    case 'unrecognized_keys':
      return 'Extra inputs are not permitted';
    case 'custom':
    case 'invalid_element':
    case 'invalid_key':
    case 'invalid_union':
    case 'not_multiple_of':
      return 'Input is not valid';
  }
  return 'Input is not valid';
}

const TYPE_NAMES: Record<string, string> = {
  array: 'list',
  object: 'dictionary',
  record: 'dictionary',
  int: 'integer',
  number: 'number',
};

function lengthOf(characters: unknown): string {
  return `${String(characters)} ${characters === 1 ? 'character' : 'characters'}`;
}

function listOf(values: unknown): string {
  if (!Array.isArray(values)) return 'one of the known values';
  const quoted = values.map((value) => `'${String(value)}'`);
  const last = quoted.pop() ?? '';
  return quoted.length === 0 ? last : `${quoted.join(', ')} or ${last}`;
}

/** The first issue as `path: message`, under `prefix` where the schema is one part of the request. */
export function firstIssue(error: z.ZodError, prefix = ''): string {
  const issue = error.issues[0];
  if (issue === undefined) return 'Invalid request';
  const extraKey = issue.code === 'unrecognized_keys' ? issue.keys.slice(0, 1) : [];
  const path = [...(prefix === '' ? [] : [prefix]), ...issue.path.map(String), ...extraKey].join('.');
  return path === '' ? issue.message : `${path}: ${issue.message}`;
}
