import { createHash } from 'node:crypto';
import type { Tool } from '@modelcontextprotocol/client';
import {
  inputSchemaSchema,
  mcpAnnotationsSchema,
  storableJson,
  storableText,
  toolSchemaIssues,
  type McpListedTool,
} from '@turnpike/contract';

const MOST_TOOLS = 512;
const MOST_NAME_CHARACTERS = 128;
const MOST_DESCRIPTION_CHARACTERS = 10_000;
const MOST_LIST_CHARACTERS = 1_000_000;

export interface ReadTools {
  tools: McpListedTool[];
  /** Of the whole list, in whatever order its server gave it. */
  hash: string;
  /** Tools that no model can be given, each with the reason. */
  leftOut: { name: string; reason: string }[];
}

/** A server's list as it is kept: sorted, bounded, and only tools that the Messages API accepts. */
export function readTools(listed: readonly Tool[]): ReadTools {
  const tools: McpListedTool[] = [];
  const leftOut: ReadTools['leftOut'] = [];
  const seen = new Set<string>();
  let characters = 0;
  for (const given of listed) {
    const read = seen.has(given.name) ? 'its name is taken' : readTool(given);
    seen.add(given.name);
    if (typeof read === 'string') {
      leftOut.push({ name: given.name.slice(0, MOST_NAME_CHARACTERS), reason: read });
      continue;
    }
    characters += JSON.stringify(read).length;
    if (tools.length < MOST_TOOLS && characters <= MOST_LIST_CHARACTERS) tools.push(read);
    else leftOut.push({ name: read.name, reason: 'the list is too long' });
  }
  tools.sort((one, other) => (one.name < other.name ? -1 : 1));
  return { tools, hash: hashOf(tools.map(({ name, hash }) => [name, hash])), leftOut };
}

/** The tool, or why no model can be given it. */
function readTool({ name, title, description = '', inputSchema, annotations }: Tool): McpListedTool | string {
  if (name === '' || name.length > MOST_NAME_CHARACTERS || storableText(name) !== name)
    return 'its name is not usable';
  const schema = inputSchemaSchema.safeParse(storableJson(inputSchema));
  if (!schema.success) return 'its input schema is not usable';
  const [issue] = toolSchemaIssues(schema.data);
  if (issue !== undefined)
    return `its input schema is not usable: ${issue.path}: ${issue.message}`.slice(0, 300);
  const tool = {
    name,
    ...(title === undefined ? {} : { title: storableText(title).slice(0, MOST_DESCRIPTION_CHARACTERS) }),
    description: storableText(description).slice(0, MOST_DESCRIPTION_CHARACTERS),
    input_schema: schema.data,
    annotations: mcpAnnotationsSchema.safeParse(annotations ?? {}).data ?? {},
  };
  return { ...tool, hash: hashOf(tool) };
}

/** The same for the same value, whatever the order of its fields. */
function hashOf(value: unknown): string {
  return createHash('sha256')
    .update(JSON.stringify(sorted(value)))
    .digest('hex');
}

function sorted(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(sorted);
  if (typeof value !== 'object' || value === null) return value;
  const fields = Object.entries(value).toSorted(([one], [other]) => (one < other ? -1 : 1));
  return fields.map(([name, field]) => [name, sorted(field)]);
}
