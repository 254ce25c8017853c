import { textOf, type ContentBlock, type Message, type NewMessage, type Outcome } from '@turnpike/contract';
import { correctionOf, isCorrection } from './output-correction.ts';
import { lastText } from './outcome.ts';
import type { TurnRun } from './turn-run.ts';

/** The turn's end, or a message to the model about its output, which is not what the agent's format asks for. */
export type CheckedOutput = { outcome: Outcome } | { correction: NewMessage };

/** How far the turn is when its output is checked, the response with the output included. */
interface OutputPosition {
  messages: readonly Message[];
  modelCalls: number;
}

/**
 * Validates the output of a turn that is to end, where its agent has an output format. The model is asked once more for
 * an output that does not fit, where the turn may call it again; a second one ends the turn `incomplete`.
 */
export async function checkOutput(
  { lease, outputs }: TurnRun,
  outcome: Outcome,
  { messages, modelCalls }: OutputPosition,
): Promise<CheckedOutput> {
  const { agent, tenantId } = lease.turn;
  const { output_format: format } = agent;
  // What the model refused to write, or had no tokens for, is not asked for again.
  if (format === undefined || outcome.status !== 'completed' || outcome.stopReason === 'refusal') {
    return { outcome };
  }
  const output = lastText(messages);
  const mistake = await mistakeIn(output, (value) => outputs.explain(tenantId, format.schema, value));
  if (mistake === null) return { outcome: { ...outcome, output, outputIsJson: true } };
  const mayAskAgain = !messages.some(isCorrection) && modelCalls < agent.max_steps;
  if (mayAskAgain) return { correction: correctionOf(mistake) };
  const error = {
    code: 'output_invalid',
    message: mistake.slice(0, MAX_MESSAGE),
    retry_status: 'exhausted' as const,
    request_id: null,
  };
  return { outcome: { ...outcome, status: 'incomplete', stopReason: 'output_invalid', error } };
}

const MAX_MESSAGE = 1_000;

async function mistakeIn(
  output: readonly ContentBlock[],
  explain: (value: unknown) => Promise<string | null>,
): Promise<string | null> {
  let value: unknown;
  try {
    value = JSON.parse(textOf(output));
  } catch {
    return 'The output is not JSON.';
  }
  return explain(value);
}
