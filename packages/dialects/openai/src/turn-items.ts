import type { ContentBlock, messageSchema, stepSchema, Turn } from '@turnpike/contract';
import { textOf } from '@turnpike/contract';
import { orNotFound, type UseCases } from '@turnpike/dialect-base';
import { z } from 'zod';
import { callsClient, functionCallsOf, itemsOf } from './items.ts';
import { inputId, noResponse, outputId } from './ids.ts';
import type { ListedItem } from './page.ts';
import { readSource } from './read-response.ts';
import { shownCall, stepsOfPart, type ResponseSource } from './response.ts';

type Step = z.infer<typeof stepSchema>;
type Message = z.infer<typeof messageSchema>;

/** What the client gave for a part of a turn: its messages, or outputs of the functions that the part before called. */
export async function inputItemsOf(useCases: UseCases, turn: Turn, part: number): Promise<ListedItem[]> {
  if (part === 0) return firstInputs(await useCases.turns.messages(turn.id));
  const source = await readSource(useCases, turn);
  const steps = await orNotFound(useCases.turns.steps(turn.id), noResponse);
  const before = stepsOfPart(steps, part - 1, source.clientTools);
  const last = before?.steps.at(-1);
  if (before?.isCut !== true || last === undefined) throw noResponse();
  return outputItems(last, source);
}

/** All items of a turn, in order: of its client, and of the model. */
export async function itemsOfTurn(useCases: UseCases, turn: Turn): Promise<ListedItem[]> {
  const source = await readSource(useCases, turn);
  const { thinks, clientTools } = source;
  const [messages, steps] = await Promise.all([
    useCases.turns.messages(turn.id),
    useCases.turns.steps(turn.id),
  ]);
  return [
    ...firstInputs(messages),
    ...steps.flatMap((step): ListedItem[] => [
      ...itemsOf(step, { thinks, clientTools, calls: step.tool_calls.map(shownCall) }),
      ...(callsClient(step, clientTools) ? outputItems(step, source) : []),
    ]),
  ];
}

/** What the turn was submitted with: what came before the model's first message. */
function firstInputs(messages: readonly Message[]): ListedItem[] {
  const first = messages.findIndex(({ role }) => role === 'assistant');
  return messages.slice(0, first === -1 ? undefined : first).map(({ turn_id: turnId, content }, place) => ({
    id: inputId(turnId, place),
    type: 'message',
    role: 'user',
    status: 'completed',
    content: content.map(inputPart),
  }));
}

function outputItems(step: Step, { clientTools }: ResponseSource): ListedItem[] {
  const { turn_id: turnId, index } = step;
  return functionCallsOf(step, clientTools).flatMap(({ item, place, call: { output } }) =>
    output === null
      ? []
      : [
          {
            id: outputId(turnId, index, place),
            type: 'function_call_output',
            status: 'completed',
            call_id: item.call_id,
            output: textOf(output),
          },
        ],
  );
}

const sourceSchema = z.union([
  z.looseObject({ type: z.literal('url'), url: z.string() }),
  z.looseObject({ type: z.literal('base64'), media_type: z.string(), data: z.string() }),
  z.looseObject({ type: z.literal('file'), file_id: z.string() }),
]);

function inputPart(block: ContentBlock): object {
  if (block.type === 'text') return { type: 'input_text', text: block['text'] };
  const isImage = block.type === 'image';
  const type = isImage ? 'input_image' : 'input_file';
  const source = sourceSchema.safeParse(block['source']).data;
  if (source === undefined) return { type };
  if (source.type === 'file') return { type, file_id: source.file_id };
  if (source.type === 'url')
    return isImage ? { type, detail: 'auto', image_url: source.url } : { type, file_url: source.url };
  const data = `data:${source.media_type};base64,${source.data}`;
  return isImage ? { type, detail: 'auto', image_url: data } : { type, file_data: data };
}
