import type { Message, NewMessage } from '@turnpike/contract';

/** What the model is told of an output that does not fit. The field marks it in the journal, where the next worker finds it; the model is sent the text alone. */
export function correctionOf(mistake: string): NewMessage {
  const text = `${mistake}\nRespond again with the whole output, as JSON that fits the schema and nothing else.`;
  return { role: 'user', content: [{ type: 'text', text, output_correction: true }] };
}

export function isCorrection({ role, content }: Message): boolean {
  return role === 'user' && content.some((block) => block['output_correction'] === true);
}
