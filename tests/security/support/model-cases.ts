import type { SimControl } from '@turnpike/model-sim';

type Script = Parameters<SimControl['setScript']>[0];
type Rule = NonNullable<Script['rules']>[number];
type Fault = NonNullable<Rule['fault']>;

const status = (code: number, more: object = {}): Fault => ({ type: 'status', status: code, ...more });

/** Every way in which the simulator can answer badly; the key is the name of a model, so that no breaker is shared. */
export function faultsThatSay(secret: string): Record<string, Fault> {
  const message = `The key ${secret}, or ${encodeURIComponent(secret)}, or ${Buffer.from(secret).toString('base64')}`;
  const now = { headers: { 'retry-after': '0' } };
  return {
    'is-401': status(401, { message }),
    'is-403': status(403, { message }),
    'is-400': status(400, { message }),
    'is-429': status(429, { message, ...now }),
    'is-500': status(500, { message, ...now }),
    'is-529': status(529, { message, ...now }),
    cuts: { type: 'cut', after_events: 3 },
    'is-malformed': { type: 'malformed', after_events: 2 },
    'sends-error': { type: 'error_event', after_events: 2, error_type: 'api_error', message },
  };
}

/** A script in which each fault comes once to a call of its model, then what `said` is. */
export function scriptOf(faults: Record<string, Fault>, said: string, tools: readonly string[]): Script {
  return {
    rules: [
      ...Object.entries(faults).map(([model, fault]): Rule => ({ match: { model }, times: 1, fault })),
      { match: { model: 'refuses' }, reply: { text: said, stop_reason: 'refusal' } },
      {
        match: { model: 'calls-tools', step: 0 },
        reply: { tool_uses: tools.map((name) => ({ name, input: { word: said } })) },
      },
      { reply: { text: said } },
    ],
  };
}
