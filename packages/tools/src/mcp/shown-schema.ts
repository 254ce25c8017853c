import { toolSchemaIssues, type InputSchema } from '@turnpike/contract';

/** The one property of a schema that is shown in place of one that the Messages API refuses. */
const WHOLE = 'input';

/** The schema of a tool as the model is shown it. */
export interface ShownSchema {
  schema: InputSchema;
  /** The input of the tool, of what the model wrote by the shown schema; undefined where it wrote none. */
  inputIn(written: unknown): unknown;
}

/**
 * The Messages API refuses some schemas for what they have at the top: a union, or a property with an odd name. Such a
 * schema is shown one level down, where it accepts anything, and the tool is sent what the model wrote there. Inputs are
 * checked against the server's own schema.
 */
export function shownSchema(schema: InputSchema): ShownSchema {
  if (toolSchemaIssues(schema).length === 0) return { schema, inputIn: (written) => written };
  const whole = '$id' in schema ? schema : Object.fromEntries(fieldsMoved(schema));
  return {
    schema: {
      type: 'object',
      properties: { [WHOLE]: whole },
      required: [WHOLE],
      additionalProperties: false,
    },
    inputIn: (written) =>
      typeof written === 'object' && written !== null && Object.hasOwn(written, WHOLE)
        ? Reflect.get(written, WHOLE)
        : undefined,
  };
}

/** References into the schema begin at its new place. */
function fieldsMoved(part: object): [string, unknown][] {
  return Object.entries(part).map(([name, value]) => {
    const isReference = name === '$ref' && typeof value === 'string' && /^#(\/|$)/.test(value);
    return [name, isReference ? `#/properties/${WHOLE}${value.slice(1)}` : moved(value)];
  });
}

function moved(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(moved);
  return typeof value === 'object' && value !== null ? Object.fromEntries(fieldsMoved(value)) : value;
}
