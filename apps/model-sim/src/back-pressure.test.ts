import { once } from 'node:events';
import { request } from 'node:http';
import type { IncomingMessage } from 'node:http';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { SimControl, startModelSim } from './index.ts';
import type { ModelSim } from './index.ts';

const EVENTS_AT_LEAST = 300_000;

describe('a client that does not read', () => {
  let sim: ModelSim;
  let control: SimControl;

  beforeAll(async () => {
    sim = await startModelSim({
      script: { rules: [{ pace: { chunk: 1 }, reply: { text: 'abcde'.repeat(EVENTS_AT_LEAST) } }] },
    });
    control = new SimControl(sim.controlUrl);
  });
  afterAll(() => sim.close());

  it('holds its stream back, and gets all of it once it reads', async () => {
    const asking = request(`${sim.url}/v1/messages`, {
      method: 'POST',
      headers: { 'content-type': 'application/json', 'anthropic-version': '2023-06-01', 'x-api-key': 'k' },
    });
    asking.end(
      JSON.stringify({
        model: 'm',
        max_tokens: 1_000_000,
        stream: true,
        messages: [{ role: 'user', content: 'go' }],
      }),
    );
    const [response] = (await once(asking, 'response')) as [IncomingMessage];

    // Once as much is sent as the sockets between can hold, no more comes.
    let held = 0;
    for (let same = 0; same < 20;) {
      const events = (await control.calls())[0]?.events ?? 0;
      same = events > 0 && events === held ? same + 1 : 0;
      held = events;
    }
    expect(held).toBeLessThan(EVENTS_AT_LEAST / 2);

    let end = '';
    response.on('data', (chunk: Buffer) => {
      end = chunk.toString('utf8');
    });
    await once(response, 'end');
    expect(end).toContain('event: message_stop');
    const [call] = await control.calls({ waitFor: 1, outcome: 'completed' });
    expect(call?.events).toBeGreaterThan(EVENTS_AT_LEAST);
  });
});
