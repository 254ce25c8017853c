import { z } from 'zod';
import type { Tool } from '../request-schema.ts';
import { findTimeZone, findUrls } from './find-in-text.ts';

const propertySchema = z.looseObject({
  type: z.unknown(),
  enum: z.array(z.unknown()).optional(),
  minimum: z.number().optional(),
});

const inputSchema = z.looseObject({
  properties: z.record(z.string(), z.unknown()).default({}),
  required: z.array(z.string()).default([]),
});

const MAX_TEXT = 200;

/** An input for a tool: what its schema requires, and what the text says beyond that. */
export function makeToolInput(tool: Tool, text: string, url?: string): Record<string, unknown> {
  const schema = inputSchema.safeParse(tool.input_schema);
  if (!schema.success) return {};
  const { properties, required } = schema.data;
  const input: Record<string, unknown> = {};
  for (const name of new Set([...required, ...Object.keys(properties)])) {
    const known = knownValue(name, text, url);
    if (known !== undefined) input[name] = known;
    else if (required.includes(name)) input[name] = fallback(properties[name], name, text);
  }
  return input;
}

function knownValue(name: string, text: string, url: string | undefined): string | undefined {
  if (/^(url|uri|link|address)$/i.test(name)) return url ?? findUrls(text)[0];
  if (/^(time_?zone|tz|zone)$/i.test(name)) return findTimeZone(text);
  return undefined;
}

function fallback(schema: unknown, name: string, text: string): unknown {
  if (/^(time_?zone|tz|zone)$/i.test(name)) return 'UTC';
  if (/^method$/i.test(name)) return 'GET';
  const parsed = propertySchema.safeParse(schema);
  if (!parsed.success) return text.slice(0, MAX_TEXT);
  const property = parsed.data;
  if ('default' in property) return property['default'];
  if ('const' in property) return property['const'];
  if (property.enum !== undefined) return property.enum[0];
  const type: unknown = Array.isArray(property.type) ? property.type[0] : property.type;
  switch (type) {
    case 'integer':
    case 'number':
      return Number(/-?\d+(?:\.\d+)?/.exec(text)?.[0] ?? property.minimum ?? 1);
    case 'boolean':
      return true;
    case 'array':
      return [];
    case 'object':
      return {};
    default:
      return (/["“']([^"”']+)["”']/.exec(text)?.[1] ?? text).slice(0, MAX_TEXT);
  }
}
