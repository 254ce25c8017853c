import { toolNameSchema, toolSchemaIssues, type ToolDeclaration } from '@turnpike/contract';
import { z } from 'zod';
import type { Tool } from './tool.ts';

const objectSchema = z.looseObject({ type: z.literal('object') });
const deadlineSchema = z.int().min(1).max(3_600_000).optional();

/**
 * A tool as it is declared to the model.
 * Throws a `TypeError` for a tool that no agent could name or no model could call.
 */
export function declareTool(tool: Tool): ToolDeclaration {
  if (!toolNameSchema.safeParse(tool.name).success) {
    throw new TypeError(`"${tool.name}" is not a valid tool name: 1 to 64 of a-z, A-Z, 0-9, _ and -.`);
  }
  if (!deadlineSchema.safeParse(tool.deadlineMs).success) {
    throw new TypeError(`The deadline of ${tool.name} is not a whole number of milliseconds up to an hour.`);
  }
  const { $schema: _, ...schema } = z.toJSONSchema(tool.input, { io: 'input' });
  const input = objectSchema.safeParse(schema);
  if (!input.success) throw new TypeError(`The input of ${tool.name} is not an object.`);
  const [issue] = toolSchemaIssues(input.data);
  if (issue !== undefined) throw new TypeError(`The input of ${tool.name}: ${issue.path}: ${issue.message}.`);
  return { name: tool.name, description: tool.description, input_schema: input.data };
}
