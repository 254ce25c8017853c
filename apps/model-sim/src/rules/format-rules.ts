import type { ReadRequest, Rule } from './rule.ts';

const REF = /^#\/(?:\$defs|definitions)\/([^/]+)$/;
const AT = 'output_config.format.schema';

/** Keywords that the API knows, of those that limit a value of a type. */
const UNSUPPORTED: Readonly<Record<string, readonly string[]>> = {
  integer: ['exclusiveMaximum', 'exclusiveMinimum', 'maximum', 'minimum', 'multipleOf'],
  number: ['exclusiveMaximum', 'exclusiveMinimum', 'maximum', 'minimum', 'multipleOf'],
  string: ['maxLength', 'minLength'],
  array: ['maxItems', 'uniqueItems'],
};

const schemaOf = ({ fields }: ReadRequest): Record<string, unknown> | null =>
  fields.output_config?.format?.schema ?? null;

/** What an output format may not be. */
export const FORMAT_RULES: readonly Rule[] = [
  {
    name: 'an output format that leaves an object open',
    refuses: (request) =>
      partsOf(schemaOf(request)).every(isClosed)
        ? null
        : `${AT}: For 'object' type, 'additionalProperties' must be explicitly set to false`,
  },
  {
    name: 'an output format with a keyword that the API does not know',
    refuses(request) {
      for (const part of partsOf(schemaOf(request))) {
        const type = String(part['type']);
        const unknown = (UNSUPPORTED[type] ?? []).filter((keyword) => keyword in part);
        if (unknown.length > 0)
          return `${AT}: For '${type}' type, properties ${unknown.join(', ')} are not supported`;
      }
      return null;
    },
  },
  {
    name: 'an output format with a reference that leads nowhere',
    refuses(request) {
      const schema = schemaOf(request);
      const names = Object.keys(definitionsOf(schema));
      const lost = refsIn(schema).find((ref) => !names.includes(REF.exec(ref)?.[1] ?? ''));
      return lost === undefined ? null : `${AT}: Unable to resolve reference: ${lost}`;
    },
  },
  {
    name: 'an output format that refers to itself',
    refuses(request) {
      const definitions = definitionsOf(schemaOf(request));
      const namesIn = (part: unknown): string[] => refsIn(part).map((ref) => REF.exec(ref)?.[1] ?? '');
      for (const start of Object.keys(definitions)) {
        const seen = new Set<string>();
        const next = namesIn(definitions[start]);
        for (let name = next.pop(); name !== undefined; name = next.pop()) {
          if (name === start)
            return `Circular reference detected in schema definitions: ${start} -> ${start}. Self-referencing or mutually-referencing definitions are not supported.`;
          if (seen.has(name)) continue;
          seen.add(name);
          next.push(...namesIn(definitions[name]));
        }
      }
      return null;
    },
  },
  {
    name: 'citations beside an output format',
    refuses(request) {
      if (schemaOf(request) === null) return null;
      const blocks = request.messages.flatMap(({ content }) => content);
      const cites = [...blocks.flatMap(withInner), ...request.tools].some(
        (part) => 'citations' in part && isEnabled(part.citations),
      );
      return cites ? 'Citations are not supported together with `output_config.format`.' : null;
    },
  },
];

function isEnabled(citations: unknown): boolean {
  return (
    typeof citations === 'object' &&
    citations !== null &&
    'enabled' in citations &&
    citations.enabled === true
  );
}

function withInner(block: object): object[] {
  const inner = 'content' in block && Array.isArray(block.content) ? (block.content as object[]) : [];
  return [block, ...inner];
}

function definitionsOf(schema: Record<string, unknown> | null): Record<string, unknown> {
  return Object(schema?.['$defs'] ?? schema?.['definitions'] ?? {}) as Record<string, unknown>;
}

function refsIn(part: unknown): string[] {
  return partsOf(part).flatMap((inner) => (typeof inner['$ref'] === 'string' ? [inner['$ref']] : []));
}

/** Every object in it. */
function partsOf(part: unknown): Record<string, unknown>[] {
  if (typeof part !== 'object' || part === null) return [];
  const own = Array.isArray(part) ? [] : [part as Record<string, unknown>];
  return [...own, ...Object.values(part).flatMap(partsOf)];
}

function isClosed({ type, additionalProperties }: Record<string, unknown>): boolean {
  return type !== 'object' || additionalProperties === false;
}
