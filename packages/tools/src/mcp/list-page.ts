import { isSpecType } from '@modelcontextprotocol/client';
import { z } from 'zod';

/** Characters of all pages of one list. What comes after that is not kept, so that a long list fills no memory. */
const MOST_CHARACTERS = 4_000_000;

const pageSchema = z.looseObject({ tools: z.array(z.unknown()) });
const toolSchema = z.looseObject({ name: z.string() });

/**
 * Reads the pages of one list before the client does, which refuses all tools of a server where one of them is not as
 * the protocol wants it. Of each tool only what is used is kept.
 */
export class ListPages {
  /** Names of tools that the client would refuse. */
  readonly refused: string[] = [];
  #characters = 0;

  /** The result of a request for a page as the client is given it; unchanged where it is none. */
  read(result: Record<string, unknown>): Record<string, unknown> {
    const page = pageSchema.safeParse(result);
    if (!page.success) return result;
    const tools: unknown[] = [];
    for (const given of page.data.tools) {
      const tool = usedOf(given);
      if (!isSpecType.Tool(tool)) {
        this.refused.push(toolSchema.safeParse(given).data?.name ?? 'a tool without a name');
        continue;
      }
      this.#characters += JSON.stringify(tool).length;
      if (this.#characters > MOST_CHARACTERS) {
        const { nextCursor: _, ...last } = page.data;
        return { ...last, tools };
      }
      tools.push(tool);
    }
    return { ...page.data, tools };
  }
}

/** The fields of a tool that are used. One that is null is none, and the input of a call is an object in any case. */
function usedOf(given: unknown): unknown {
  const read = toolSchema.safeParse(given);
  if (!read.success) return given;
  const { name, title, description, inputSchema, annotations, execution } = read.data;
  const fields = {
    name,
    title,
    description,
    inputSchema: asObjectSchema(inputSchema),
    annotations,
    execution,
  };
  return Object.fromEntries(
    Object.entries(fields).filter(([, value]) => value !== null && value !== undefined),
  );
}

function asObjectSchema(schema: unknown): unknown {
  if (typeof schema !== 'object' || schema === null || Array.isArray(schema)) return schema;
  return 'type' in schema ? schema : { type: 'object', ...schema };
}
