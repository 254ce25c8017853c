import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { SpendingPausedError } from '@turnpike/contract';
import { byLength } from '../../../tests/support/test-length.ts';
import type { GuardedModel } from './create-model.ts';
import { callTestModel, testModel } from './testing/test-model.ts';
import { failureOf } from './testing/test-turns.ts';
import { asEventStream, messageEvents, startScriptedApi, type ScriptedApi } from './testing/scripted-api.ts';

const call = (id: string, ...pieces: string[]) => ({
  start: { type: 'tool_use', id, name: 'send_money', input: {} },
  deltas: pieces.map((partial_json) => ({ type: 'input_json_delta', partial_json })),
});

const WHOLE = Buffer.from(
  asEventStream(
    messageEvents(
      [
        { start: { type: 'text', text: '' }, deltas: [{ type: 'text_delta', text: 'Zwölf 💶.' }] },
        call('toolu_1', '{"to":"ann",', '"amount":12}'),
        call('toolu_2', '{"to":"bob","am', 'ount":120}'),
      ],
      'tool_use',
    ),
  ),
);

const CONTENT = [
  { type: 'text', text: 'Zwölf 💶.' },
  { type: 'tool_use', id: 'toolu_1', name: 'send_money', input: { to: 'ann', amount: 12 } },
  { type: 'tool_use', id: 'toolu_2', name: 'send_money', input: { to: 'bob', amount: 120 } },
];

/** How a cut stream ends: the connection breaks, or the response is over as if nothing were wrong. */
const ENDS = ['break', 'end'] as const;

/** In the short form one byte of eight, by chance, and all around the end of each event. */
const first = Math.floor(Math.random() * 8);
const isTried = (bytes: number): boolean =>
  byLength({ short: false, long: true }) ||
  bytes % 8 === first ||
  WHOLE.subarray(Math.max(0, bytes - 2), bytes + 2).includes('\n\n');

describe('a stream that is interrupted at any byte', () => {
  let api: ScriptedApi;
  let model: GuardedModel;

  beforeAll(async () => {
    const seen = new Set<string>();
    api = await startScriptedApi(({ body }) => {
      const said = JSON.stringify(body['messages']);
      const name = /cut (\d+) (break|end)/.exec(said);
      if (name === null || seen.has(said)) return { body: WHOLE };
      seen.add(said);
      return { body: WHOLE.subarray(0, Number(name[1])), after: name[2] === 'break' ? 'break' : 'end' };
    });
    const retryBudget = { take: () => true, deposit() {} };
    ({ model } = testModel(api.url, { retryBudget, limits: { backoffBaseMs: 0 } }));
  });

  afterAll(async () => {
    await model.close();
    await api.close();
  });

  it.each(ENDS)('gives no response, and the next attempt gives the whole one (%s)', async (end) => {
    const cuts = Array.from({ length: WHOLE.length }, (_none, bytes) => bytes).filter(isTried);
    const tryNext = async (): Promise<void> => {
      for (let bytes = cuts.pop(); bytes !== undefined; bytes = cuts.pop()) {
        const { response, shown } = callTestModel(model, { text: `cut ${bytes} ${end}` });
        const { attempts, content } = await response;
        expect({ bytes, attempts, content }).toEqual({ bytes, attempts: 2, content: CONTENT });
        // Whatever was shown of the first attempt was taken back before the second began.
        expect(['Zwölf 💶.', 'Zwölf 💶.<restart>Zwölf 💶.']).toContain(shown.join(''));
      }
    };
    await Promise.all(Array.from({ length: 8 }, tryNext));
  });

  it('gives the whole response where only bytes after the message are missing', async () => {
    const { response } = callTestModel(model, { text: `cut ${WHOLE.length} break` });
    expect(await response).toMatchObject({ attempts: 1, content: CONTENT });
  });

  it('reports its usage, and the next attempt is made only once its cost is reserved too', async () => {
    const reserved = Promise.reject(new SpendingPausedError('budget_busy', 1_234));
    reserved.catch(() => undefined);
    const end = WHOLE.indexOf('toolu_2');
    const { response, interrupted } = callTestModel(model, {
      text: `Dear: cut ${end} end`,
      reserveAgain: () => reserved,
    });
    // Parked, with its attempt: a stream that is interrupted again and again is not retried for ever.
    expect(await failureOf(response)).toMatchObject({
      code: 'budget_busy',
      terminal: false,
      retryAfterMs: 1_234,
      attempts: 1,
    });
    expect(interrupted).toHaveLength(1);
    expect(interrupted[0]?.usage).toMatchObject({ input_tokens: 12 });
    // Of 'Zwölf 💶.' and the input of the first call, a token for three bytes.
    expect(interrupted[0]?.usage.output_tokens).toBe(Math.ceil((12 + 24) / 3));
  });

  it('costs what the API counted, where only its end is missing', async () => {
    const end = WHOLE.indexOf('event: message_stop');
    const { response, interrupted } = callTestModel(model, { text: `Counted: cut ${end} end` });
    await response;
    expect(interrupted.map(({ usage }) => usage.output_tokens)).toEqual([7]);
  });
});
