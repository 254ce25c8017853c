import { CallSuspendedError, storableJson, storableText, type ToolCallContext } from '@turnpike/contract';
import { z } from 'zod';
import type { CodeTool } from '../define-tool.ts';
import type { Question } from '../tool-call.ts';
import { toJsonSchema, type ToolSchema } from '../tool-schema.ts';
import { validate } from '../validate.ts';
import type { CodeRun } from './code-run.ts';

const MOST_QUESTION_CHARACTERS = 4_000;
const MOST_SCHEMA_CHARACTERS = 20_000;
const askedSchema = z.object({
  question: z.string().trim().min(1).max(MOST_QUESTION_CHARACTERS),
  schema: z.custom<ToolSchema>(),
  name: z
    .string()
    .regex(/^[\w .:-]{1,200}$/, 'must be 1 to 200 letters, digits, spaces and . : _ -')
    .optional(),
});

/** `CodeToolCall.suspend`, for one run of a call: the answer where there is one; else the run ends, and never settles. */
export function createSuspend(
  tool: CodeTool,
  context: ToolCallContext,
  run: CodeRun,
): (question: Question<ToolSchema>) => Promise<unknown> {
  const names = new Set<string>();
  return async (asked) => {
    const { question, schema, name = 'answer' } = askedSchema.parse(asked);
    const title = `${tool.name}: the question "${name}"`;
    if (names.has(name)) {
      throw new TypeError(`${title} is asked twice: give each question a name of its own.`);
    }
    names.add(name);
    const form = toJsonSchema(schema, 'input', `${title}: its schema`);
    if (JSON.stringify(form).length > MOST_SCHEMA_CHARACTERS)
      throw new TypeError(`${title} has too long a schema.`);
    const known = context.steps().find((step) => step.kind === 'answer' && step.name === name);
    let note = '';
    if (known?.status === 'completed') {
      const checked = await validate(schema, JSON.parse(known.result ?? 'null'));
      if (checked.valid) return checked.value;
      // The schema may say more than its JSON Schema, by which the API checked the answer.
      note = `\n(The last answer was not valid: ${checked.issues})`;
      await context.commitStep({ kind: 'answer', name, effect: 'once', status: 'undone', result: null });
    }
    const text = storableText(question + note);
    return run.end(new CallSuspendedError({ name, text, answer_schema: storableJson(form) }));
  };
}
