import { CallSuspendedError, storableJson, storableText, type ToolCallContext } from '@turnpike/contract';
import type { CodeTool } from '../define-tool.ts';
import type { Question } from '../tool-call.ts';
import { toJsonSchema, type ToolSchema } from '../tool-schema.ts';
import { validate } from '../validate.ts';
import type { CodeRun } from './code-run.ts';

const MOST_QUESTION_CHARACTERS = 4_000;
const MOST_SCHEMA_CHARACTERS = 20_000;
const NAME = /^[\w .:-]{1,200}$/;

/** `CodeToolCall.suspend`, for one run of a call: the answer where there is one; else the run ends, and never settles. */
export function createSuspend(
  tool: CodeTool,
  context: ToolCallContext,
  run: CodeRun,
): (question: Question<ToolSchema>) => Promise<unknown> {
  const names = new Set<string>();
  return async ({ question, schema, name = 'answer' }) => {
    const title = `${tool.name}: the question "${String(name).slice(0, 200)}"`;
    if (typeof name !== 'string' || !NAME.test(name)) throw new TypeError(`${title} has an invalid name.`);
    if (names.has(name))
      throw new TypeError(`${title} is asked twice: give each question a name of its own.`);
    names.add(name);
    if (
      typeof question !== 'string' ||
      question.trim() === '' ||
      question.length > MOST_QUESTION_CHARACTERS
    ) {
      throw new TypeError(`${title} must be a text of 1 to ${MOST_QUESTION_CHARACTERS} characters.`);
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
    const text = storableText(question + note);
    return run.end(new CallSuspendedError({ name, text, answer_schema: storableJson(form) }));
  };
}
