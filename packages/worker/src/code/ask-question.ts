import { CallSuspendedError, storableJson, storableText, type ToolCallContext } from '@turnpike/contract';
import { hideSecrets } from '@turnpike/tools';
import { z } from 'zod';
import type { CodeTool } from '../define-tool.ts';
import type { Question } from '../tool-call.ts';
import { toJsonSchema, type ToolSchema } from '../tool-schema.ts';
import { validate } from '../validate.ts';
import type { CodeRun } from './code-run.ts';
import { hideInJson, holdsSecret } from './hide-in-output.ts';
import { toolScope } from './tool-scope.ts';

const MOST_QUESTION_CHARACTERS = 4_000;
const MOST_SCHEMA_CHARACTERS = 20_000;
const askedSchema = z.object({
  question: z
    .string('must be a text')
    .trim()
    .min(1, 'must not be empty')
    .max(MOST_QUESTION_CHARACTERS, `must have at most ${MOST_QUESTION_CHARACTERS} characters`),
  schema: z.custom<ToolSchema>(
    (value) => value !== null && (typeof value === 'object' || typeof value === 'function'),
    'must be a schema',
  ),
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
  secrets: readonly string[],
): (question: Question<ToolSchema>) => Promise<unknown> {
  const names = new Set<string>();
  return async (asked) => {
    const { question, schema, name = 'answer' } = readQuestion(tool, asked);
    if (holdsSecret(name, secrets))
      throw new TypeError(`${tool.name}: the name of a question holds a secret.`);
    const title = `${tool.name}: the question "${name}"`;
    if (names.has(name)) {
      throw new TypeError(`${title} is asked twice: give each question a name of its own.`);
    }
    names.add(name);
    const outer = toolScope()?.step;
    if (outer !== undefined) {
      throw new TypeError(`${title} is asked inside of the step "${outer}": ask it before or after it.`);
    }
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
    const text = storableText(hideSecrets(question + note, secrets, false));
    const answerSchema = hideInJson(storableJson(form), secrets);
    return run.end(new CallSuspendedError({ name, text, answer_schema: answerSchema }));
  };
}

function readQuestion(tool: CodeTool, asked: unknown): z.infer<typeof askedSchema> {
  const parsed = askedSchema.safeParse(asked);
  if (parsed.success) return parsed.data;
  const [issue] = parsed.error.issues;
  const field = issue?.path.join('.') ?? '';
  throw new TypeError(
    `${tool.name}: a question needs a text and a schema: ${field === '' ? '' : `${field} `}${issue?.message ?? ''}`,
  );
}
