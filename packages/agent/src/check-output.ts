import { textOf, type ContentBlock, type Message, type NewMessage, type Outcome } from '@turnpike/contract';
import type { TurnRun } from './turn-run.ts';

/** The turn's end, or a message to the model about its output, which is not what the agent's format asks for. */
export type CheckedOutput = { outcome: Outcome } | { correction: NewMessage };

/**
 * Validates the output of a turn that is to end, where its agent has an output format. The model is asked once more for
 * an output that does not fit; a second one ends the turn `incomplete`.
 */
export async function checkOutput(
  { lease, outputs, progress }: TurnRun,
  outcome: Outcome,
): Promise<CheckedOutput> {
  const { agent, tenantId } = lease.turn;
  const { output_format: format } = agent;
  // What the model refused to write, or had no tokens for, is not asked for again.
  if (format === undefined || outcome.status !== 'completed' || outcome.stopReason === 'refusal') {
    return { outcome };
  }
  const mistake = await mistakeIn(outcome.output ?? [], (value) =>
    outputs.explain(tenantId, format.schema, value),
  );
  if (mistake === null) return { outcome: { ...outcome, outputIsJson: true } };
  if (!progress.messages.some(isCorrection)) return { correction: correctionOf(mistake) };
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

/** The field marks it in the journal, where the next worker finds it; the model is sent the text alone. */
function correctionOf(mistake: string): NewMessage {
  const text = `${mistake}\nRespond again with the whole output, as JSON that fits the schema and nothing else.`;
  return { role: 'user', content: [{ type: 'text', text, output_correction: true }] };
}

function isCorrection({ role, content }: Message): boolean {
  return role === 'user' && content.some((block) => block['output_correction'] === true);
}
