import { textOf, type Turn } from '@turnpike/contract';
import { listSteps } from '@turnpike/store';
import type { Run } from './run.ts';
import type { TestedTurn } from './tested-turn.ts';

const MOST_STEPS = 1_000;

/** What the journal says of a turn. */
export async function readTestedTurn(run: Run, turn: Turn): Promise<TestedTurn> {
  const { database, turnId, plan, thrown, modelCalls } = run;
  const steps = await listSteps(database, turnId, { after: -1, limit: MOST_STEPS });
  return {
    id: turnId,
    status: turn.status,
    outputText: turn.output_text,
    error: turn.error === null ? null : { code: turn.error.code, message: turn.error.message },
    toolCalls: steps.flatMap((step) =>
      step.tool_calls.map((call) => ({
        id: call.id,
        name: call.name,
        input: call.input,
        output: call.output === null ? null : textOf(call.output),
        isError: call.is_error,
        status: call.status,
        attempts: call.attempts,
      })),
    ),
    thrown,
    modelCalls,
    crashPoints: plan.passed,
  };
}
