import { randomUUID } from 'node:crypto';
import { setTimeout as delay } from 'node:timers/promises';
import type { ScriptInput } from '@turnpike/model-sim';
import type { Turn } from '@turnpike/contract';
import type { ChaosCluster } from './chaos-cluster.ts';
import { TOOL_EFFECTS, type ToolEffect } from './effect-server.ts';

/**
 * What a turn is to do: a model call that asks for these tools at once, for each round, and a last one
 * that answers.
 */
export type Plan = readonly (readonly ToolEffect[])[];

export interface PlannedTurn {
  id: string;
  sessionId: string;
  /** In its input as `[[marker]]`, and in all that it makes tools do. */
  marker: string;
  plan: Plan;
}

/** Three model calls and two tools each, every effect as the first and as the second. */
const PLANS: readonly Plan[] = TOOL_EFFECTS.map((effect, index) => [
  [effect],
  [TOOL_EFFECTS[(index + 1) % TOOL_EFFECTS.length] ?? effect],
]);

/** All of them in turn. */
export function planOf(number: number): Plan {
  return PLANS[number % PLANS.length] ?? [];
}

const SUBMITTED_AT_ONCE = 20;
const TURNS_OF_A_SESSION = 2;
const RETRY_MS = 100;

/** What the model says to turns of these plans, some hundred milliseconds each time. */
export function scriptOfPlans(more: Partial<ScriptInput> = {}, plans = PLANS): ScriptInput {
  const rules = plans.flatMap((plan) => [
    ...plan.map((effects, step) => ({
      match: { text: nameOf(plan), step },
      reply: { tool_uses: effects.map((name) => ({ name, input: { turn: '{{turn}}' } })) },
    })),
    { match: { text: nameOf(plan), step: plan.length }, reply: { text: answerTo('{{turn}}') } },
  ]);
  return {
    ...more,
    defaults: { first_token_ms: 150, tokens_per_second: 100, ...more.defaults },
    rules: [...(more.rules ?? []), ...rules],
  };
}

export function answerTo(marker: string): string {
  return `All is done for ${marker}.`;
}

/** Submits so many turns, in sessions of two; what fails is submitted again with the same key. */
export async function submitTurns(chaos: ChaosCluster, count: number): Promise<PlannedTurn[]> {
  const turns: PlannedTurn[] = [];
  const sessions = Array.from({ length: Math.ceil(count / TURNS_OF_A_SESSION) }, (_, index) => index);
  const batch = randomUUID().slice(0, 8);
  const submitNext = async (): Promise<void> => {
    for (let index = sessions.shift(); index !== undefined; index = sessions.shift()) {
      let sessionId: string | undefined;
      const inSession = Math.min(TURNS_OF_A_SESSION, count - index * TURNS_OF_A_SESSION);
      for (let number = 1; number <= inSession; number++) {
        const plan = planOf(index * TURNS_OF_A_SESSION + number);
        const turn = await submitTurn(chaos, `${batch}-s${index}-t${number}`, plan, { sessionId });
        sessionId = turn.sessionId;
        turns.push(turn);
      }
    }
  };
  await Promise.all(Array.from({ length: SUBMITTED_AT_ONCE }, submitNext));
  return turns;
}

/** One turn, in a session of its own where none is given; `more` is said beside its plan. */
export async function submitTurn(
  chaos: ChaosCluster,
  marker: string,
  plan: Plan,
  settings: { sessionId?: string | undefined; agentId?: string; more?: string } = {},
): Promise<PlannedTurn> {
  const { sessionId, agentId = chaos.agentId, more = '' } = settings;
  const input = `[[${marker}]] ${nameOf(plan)} ${more}`;
  const [path, body] =
    sessionId === undefined
      ? ['/v1/turns', { agent_id: agentId, input }]
      : [`/v1/sessions/${sessionId}/turns`, { input }];
  const turn = (await submitUntilTaken(chaos, path, body)) as Turn;
  return { id: turn.id, sessionId: turn.session_id, marker, plan };
}

/** As a client does that got no response: the same body with the same key, until it is accepted. */
async function submitUntilTaken(chaos: ChaosCluster, path: string, body: unknown): Promise<unknown> {
  const headers = { 'idempotency-key': randomUUID() };
  for (;;) {
    try {
      const response = await chaos.cluster.request('POST', path, body, headers);
      if (response.status === 202) return response.body;
      const mayPass = response.status >= 500 || response.status === 409;
      if (!mayPass) throw new RefusedError(JSON.stringify(response.body));
    } catch (error) {
      if (error instanceof RefusedError) throw error;
    }
    await delay(RETRY_MS);
  }
}

class RefusedError extends Error {}

function nameOf(plan: Plan): string {
  return `plan (${plan.map((effects) => effects.join(' and ')).join('; ')})`;
}
