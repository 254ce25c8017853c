import { createHash } from 'node:crypto';
import type { ElicitRequest, ElicitResult } from '@modelcontextprotocol/client';
import {
  CallSuspendedError,
  storableJson,
  storableText,
  type Question,
  type ToolCallContext,
} from '@turnpike/contract';
import { z } from 'zod';

/*
 * A server asks (elicitation); a person answers (`requires_action`); the server goes on.
 *
 * A server of 2026-07-28 ends the request with its questions and a state, which are committed, and is sent the
 * request again with the answers. An older one asks in the middle of an open stream, which no worker holds for a day:
 * the call ends, and is made again once there is an answer, which the server then gets at once. That repeats the call,
 * so it is done only where its effect allows that.
 *
 * A task asks while it is at work, and is sent the answers. It keeps its questions until then, so it is asked for them
 * again as often as it takes.
 */

const MOST_QUESTION_CHARACTERS = 4_000;
const MOST_SCHEMA_CHARACTERS = 20_000;
const MOST_STATE_CHARACTERS = 100_000;
const MOST_QUESTIONS = 20;
/** How often one call may ask. */
const MOST_ROUNDS = 10;

/** A member that is null is one that was left out: the protocol has no null here. */
const contentSchema = z.preprocess(
  (content) =>
    typeof content === 'object' && content !== null && !Array.isArray(content)
      ? Object.fromEntries(Object.entries(content).filter(([, value]) => value !== null))
      : content,
  z.record(z.string(), z.union([z.string(), z.number(), z.boolean(), z.array(z.string())])),
);
const answerSchema = z.discriminatedUnion('action', [
  z.object({ action: z.literal('accept'), content: contentSchema }),
  z.object({ action: z.literal('decline') }),
  z.object({ action: z.literal('cancel') }),
]);
const formSchema = z.object({
  method: z.literal('elicitation/create'),
  params: z.object({
    mode: z.string().default('form'),
    message: z.string(),
    requestedSchema: z.record(z.string(), z.unknown()),
  }),
});
type Form = z.infer<typeof formSchema>['params'];

/** The server asks for something that no person can give here. */
export class UnanswerableError extends Error {}

const roundSchema = z.object({
  requestState: z.string().optional(),
  requests: z.record(z.string(), z.unknown()),
});

/** What a repeated request carries: the answers to the questions of the last round, and the server's state. */
export interface Continuation {
  inputResponses?: Record<string, ElicitResult>;
  requestState?: string;
}

/** How the call goes on, by its committed steps; nothing where it has not asked yet. */
export function continuationOf(context: ToolCallContext): Continuation {
  const last = roundsOf(context, 'round').at(-1);
  if (last === undefined) return {};
  const { requestState, requests, inputResponses } = last;
  return {
    ...(Object.keys(requests).length === 0 ? {} : { inputResponses }),
    ...(requestState === undefined ? {} : { requestState }),
  };
}

/**
 * Commits what a server of 2026-07-28 asks for. Throws `CallSuspendedError` with the question; returns where it asks
 * for nothing but to be sent its state again. Throws `UnanswerableError` for what cannot be put to a person.
 */
export async function askLater(
  { inputRequests = {}, requestState }: { inputRequests?: Record<string, unknown>; requestState?: string },
  context: ToolCallContext,
): Promise<void> {
  await askInRound('round', inputRequests, requestState, context);
}

/** The answers to what a task has asked so far, by the keys of its questions: those that were committed. */
export function answersToTask(context: ToolCallContext): Record<string, ElicitResult> {
  return Object.assign({}, ...roundsOf(context, 'task round').map(({ inputResponses }) => inputResponses));
}

/** Commits what a task asks for. Throws `CallSuspendedError` with the question, and `UnanswerableError`. */
export function askForTask(requests: Record<string, unknown>, context: ToolCallContext): Promise<void> {
  return askInRound('task round', requests, undefined, context);
}

type Rounds = 'round' | 'task round';

interface Round {
  requests: Record<string, unknown>;
  requestState?: string | undefined;
  inputResponses: Record<string, ElicitResult>;
}

function roundsOf(context: ToolCallContext, rounds: Rounds): Round[] {
  const steps = context.steps();
  const asked = steps.filter(({ kind, name }) => kind === 'step' && name.startsWith(`${rounds} `));
  return asked.map((step) => {
    const { requestState, requests } = roundSchema.parse(JSON.parse(step.result ?? 'null'));
    const answer = steps.find(({ kind, name }) => kind === 'answer' && name === step.name);
    const inputResponses = readAnswers(Object.keys(requests), answer?.result ?? null);
    return { requests, requestState, inputResponses };
  });
}

async function askInRound(
  rounds: Rounds,
  inputRequests: Record<string, unknown>,
  requestState: string | undefined,
  context: ToolCallContext,
): Promise<void> {
  const round = roundsOf(context, rounds).length + 1;
  if (round > MOST_ROUNDS) throw new UnanswerableError(`it asked more than ${MOST_ROUNDS} times`);
  const result = JSON.stringify({
    ...(requestState === undefined ? {} : { requestState }),
    requests: inputRequests,
  });
  if (result.length > MOST_STATE_CHARACTERS) throw new UnanswerableError('its state is too large');
  const forms = Object.entries(inputRequests).map(([key, request]): [string, Form] => [key, formOf(request)]);
  const name = `${rounds} ${round}`;
  const question = forms.length === 0 ? null : questionOf(name, forms);
  await context.commitStep({ kind: 'step', name, effect: 'read', status: 'completed', result });
  if (question !== null) throw new CallSuspendedError(question);
}

/**
 * A committed answer to a question that an older server asks in the middle of a call; null where there is none. Throws
 * `UnanswerableError` for what cannot be put to a person, and for one question too many.
 */
export function answerOf(request: ElicitRequest, context: ToolCallContext): ElicitResult | null {
  const { name } = questionInStream(request);
  const answers = context.steps().filter(({ kind }) => kind === 'answer');
  const answer = answers.find((step) => step.name === name);
  // Such as one with the time in its text, which is another question in every attempt.
  if (answer === undefined && answers.length >= MOST_ROUNDS)
    throw new UnanswerableError(`it asked more than ${MOST_ROUNDS} times`);
  return answer?.status === 'completed' ? (readAnswers([ONLY], answer.result)[ONLY] ?? null) : null;
}

/** The question of an older server. The same one has the same name in every attempt at the call. */
export function questionInStream(request: ElicitRequest): Question {
  const form = formOf(request);
  const hash = createHash('sha256')
    .update(JSON.stringify([form.message, form.requestedSchema]))
    .digest('hex');
  return questionOf(`asked ${hash.slice(0, 16)}`, [[ONLY, form]]);
}

const ONLY = 'answer';

function formOf(request: unknown): Form {
  const read = formSchema.safeParse(request);
  if (!read.success || read.data.params.mode !== 'form') {
    throw new UnanswerableError('it asked for something that is not a form');
  }
  return read.data.params;
}

/** One question for all forms of a round. With one form, its answer is the answer; else an object by the forms' keys. */
function questionOf(name: string, forms: readonly [string, Form][]): Question {
  if (forms.length > MOST_QUESTIONS) throw new UnanswerableError('it asked too many questions at once');
  const text = storableText(forms.map(([, { message }]) => message).join('\n\n')).slice(
    0,
    MOST_QUESTION_CHARACTERS,
  );
  const schemas = forms.map(([key, { requestedSchema }]) => [key, answerSchemaOf(requestedSchema)] as const);
  const [only] = schemas;
  const answer =
    schemas.length === 1 && only !== undefined
      ? only[1]
      : { type: 'object', properties: Object.fromEntries(schemas), required: schemas.map(([key]) => key) };
  if (JSON.stringify(answer).length > MOST_SCHEMA_CHARACTERS)
    throw new UnanswerableError('its form is too large');
  return { name, text, answer_schema: storableJson(answer) };
}

function answerSchemaOf(form: Record<string, unknown>): Record<string, unknown> {
  const { $schema: _, ...requested } = form;
  return {
    type: 'object',
    properties: { action: { type: 'string', enum: ['accept', 'decline', 'cancel'] }, content: requested },
    required: ['action'],
    if: { properties: { action: { const: 'accept' } } },
    // oxlint-disable-next-line unicorn/no-thenable -- a keyword of JSON Schema
    then: { required: ['content'] },
  };
}

/** What cannot be read counts as a cancel. */
function readAnswers(keys: readonly string[], json: string | null): Record<string, ElicitResult> {
  const given: unknown = json === null ? null : JSON.parse(json);
  const fields = z.record(z.string(), z.unknown()).safeParse(given).data ?? {};
  return Object.fromEntries(
    keys.map((key) => {
      const read = answerSchema.safeParse(keys.length === 1 ? given : fields[key]);
      return [key, read.success ? read.data : { action: 'cancel' as const }];
    }),
  );
}
