import { setTimeout as delay } from 'node:timers/promises';
import { isFinal, pageSchema, stepSchema, textOf, turnSchema, type Turn } from '@turnpike/contract';
import type { z } from 'zod';
import { say, sayFact } from '../say.ts';
import type { Api } from './api.ts';

const INPUT = 'What time is it in Lisbon?';
const LOOK_EVERY_MS = 200;
/** A turn may take longer than this; the terminal does not wait for it. */
const WATCH_LIMIT_MS = 120_000;
const MAX_SHOWN = 200;

type Step = z.output<typeof stepSchema>;
const stepListSchema = pageSchema(stepSchema);

/** Submits a turn and prints its progress and its output. */
export async function showFirstTurn(api: Api, agentId: string, signal: AbortSignal): Promise<Turn> {
  say(`The first turn: "${INPUT}"`);
  say();
  const submitted = await api.post('/v1/turns', { agent_id: agentId, input: INPUT }, turnSchema);
  sayFact('queued', submitted.id);
  const view = { isStarted: false, steps: 0, problem: '' };
  const end = performance.now() + WATCH_LIMIT_MS;
  for (;;) {
    // In this order: the steps that are read include at least those of the turn as read.
    const turn = await api.get(`/v1/turns/${submitted.id}`, turnSchema);
    const steps = await api.get(`/v1/turns/${submitted.id}/steps?limit=100`, stepListSchema);
    showProgress(turn, steps.items, view);
    if (isFinal(turn.status)) {
      showEnd(turn);
      return turn;
    }
    if (performance.now() > end) {
      sayFact(turn.status, 'still; it continues in the background');
      say();
      return turn;
    }
    await delay(LOOK_EVERY_MS, undefined, { signal });
  }
}

/** Prints what has changed. A quick turn may have passed a status between two reads; its timestamps show it. */
function showProgress(
  turn: Turn,
  steps: readonly Step[],
  view: { isStarted: boolean; steps: number; problem: string },
): void {
  if (!view.isStarted && turn.started_at !== null) {
    view.isStarted = true;
    sayFact('in_progress', `after ${between(turn.created_at, turn.started_at)}`);
  }
  // Steps are read after the turn, and may be newer than what it says of its start.
  if (view.isStarted) {
    for (const [index, step] of steps.entries()) {
      if (index >= view.steps) sayFact(`step ${step.index + 1}`, describeStep(step, steps[index - 1]));
    }
    view.steps = steps.length;
  }
  const problem = isFinal(turn.status) ? '' : (turn.error?.message ?? '');
  if (problem !== view.problem && problem !== '') sayFact('waiting', problem);
  view.problem = problem;
}

/** A round of tool calls belongs to the model call before it. */
function describeStep(step: Step, before: Step | undefined): string {
  const calls = step.tool_calls;
  if (calls.length > 0) {
    return `the model calls ${calls.map((call) => `${call.name} ${cut(JSON.stringify(call.input))}`).join(', ')}`;
  }
  if (step.type === 'model_call') return 'the model answers';
  const answers = before?.tool_calls.map((call) => `${call.name} says ${cut(textOf(call.output ?? []))}`);
  return answers?.join('; ') ?? step.type;
}

function showEnd(turn: Turn): void {
  const took = turn.finished_at === null ? '' : `after ${between(turn.created_at, turn.finished_at)}`;
  sayFact(turn.status, took);
  say();
  if (turn.error !== null) say(`  ${turn.error.code}: ${turn.error.message}`);
  if (turn.output_text !== null) say(`  ${turn.output_text}`);
  say();
}

function between(start: string, end: string): string {
  const ms = Date.parse(end) - Date.parse(start);
  return ms < 1000 ? `${ms} ms` : `${(ms / 1000).toFixed(1)} s`;
}

function cut(text: string): string {
  return text.length > MAX_SHOWN ? `${text.slice(0, MAX_SHOWN)}…` : text;
}
