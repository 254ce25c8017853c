import type { ErrorObject } from 'ajv/dist/2020.js';

const MAX_ISSUES = 20;
const MAX_EXPLANATION = 4_000;

/** The reasons why an input, or an output, is invalid, as the model is told. */
export function explainErrors(errors: readonly ErrorObject[], subject: 'input' | 'output'): string {
  const issues = errors.slice(0, MAX_ISSUES).map((error) => explainError(error, subject));
  return `Invalid ${subject}: ${[...new Set(issues)].join('; ')}`.slice(0, MAX_EXPLANATION);
}

function explainError(
  { instancePath, message = 'is not valid', params }: ErrorObject,
  subject: string,
): string {
  const path = instancePath.slice(1).replaceAll('/', '.').replaceAll('~1', '/').replaceAll('~0', '~');
  return `${path || subject}: ${message}${detailOf(params)}`;
}

/** What Ajv's message leaves out: the property that is not allowed, the values that are. */
function detailOf(params: Record<string, unknown>): string {
  const { additionalProperty, unevaluatedProperty, allowedValues, allowedValue } = params;
  const property = additionalProperty ?? unevaluatedProperty;
  if (typeof property === 'string') return ` (${property})`;
  if (allowedValues !== undefined) return ` (${JSON.stringify(allowedValues)})`;
  return allowedValue === undefined ? '' : ` (${JSON.stringify(allowedValue)})`;
}
