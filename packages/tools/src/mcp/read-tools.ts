import { createHash } from 'node:crypto';
import type { Tool } from '@modelcontextprotocol/client';
import {
  inputSchemaSchema,
  mcpAnnotationsSchema,
  storableJson,
  storableText,
  type McpListedTool,
} from '@turnpike/contract';

const MOST_TOOLS = 512;
const MOST_NAME_CHARACTERS = 128;
const MOST_DESCRIPTION_CHARACTERS = 10_000;
const MOST_LIST_CHARACTERS = 1_000_000;

/** A tool that no model can be given, with the reason. */
export interface LeftOutTool {
  name: string;
  reason: string;
}

/**
 * A server's list, sorted and bounded, without what no model can be given. The schemas of its tools have yet to be
 * checked by the draft.
 */
export function readTools(listed: readonly Tool[]): { tools: McpListedTool[]; leftOut: LeftOutTool[] } {
  const tools: McpListedTool[] = [];
  const leftOut: LeftOutTool[] = [];
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
  return { tools, leftOut };
}

/** Of tools that `readTools` has read: the same in whatever order their server gave them. */
export function hashOfList(tools: readonly McpListedTool[]): string {
  return hashOf(tools.map(({ name, hash }) => [name, hash]));
}

/** The tool, or why no model can be given it. */
function readTool(given: Tool): McpListedTool | string {
  const { name, title, description = '', inputSchema, annotations, execution } = given;
  if (name === '' || name.length > MOST_NAME_CHARACTERS || storableText(name) !== name)
    return 'its name is not usable';
  const schema = inputSchemaSchema.safeParse(storableJson(inputSchema));
  if (!schema.success) return 'its input schema is not usable';
  const support = execution?.taskSupport;
  const tool = {
    name,
    ...(title === undefined ? {} : { title: storableText(title).slice(0, MOST_DESCRIPTION_CHARACTERS) }),
    description: storableText(description).slice(0, MOST_DESCRIPTION_CHARACTERS),
    input_schema: schema.data,
    annotations: mcpAnnotationsSchema.safeParse(annotations ?? {}).data ?? {},
    ...(support === undefined || support === 'forbidden' ? {} : { task_support: support }),
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
