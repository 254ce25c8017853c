import { setTimeout as delay } from 'node:timers/promises';
import type { Turn, Turnpike } from '@turnpike/client';
import { describeError } from '../failure.ts';
import { say, warn } from '../say.ts';
import { describeEvent } from './describe-event.ts';

const LOOK_EVERY_MS = 250;
/** Turns that are followed at once; others are shown when they are accepted, and not further. */
const MOST_FOLLOWED = 50;
const MOST_KNOWN = 2_000;

/** Prints a line for each change of every turn that is accepted from now on, until `signal` aborts. */
export async function showTurns(turnpike: Turnpike, signal: AbortSignal): Promise<void> {
  const known = new Set<string>();
  const names = new Map<string, string>();
  let followed = 0;
  let isFirst = true;
  let isSilent = false;
  while (!signal.aborted) {
    try {
      const { items } = await turnpike.turns.list({ limit: 50 }, { signal, maxRetries: 0 }).page();
      for (const turn of items.toReversed()) {
        if (known.has(turn.id)) continue;
        known.add(turn.id);
        if (isFirst) continue;
        const name = await nameOf(turn.agent_id);
        if (followed >= MOST_FOLLOWED) {
          print(turn, name, 'accepted     and not followed: too many run at once');
          continue;
        }
        followed += 1;
        void follow(turnpike, turn, name, signal).finally(() => {
          followed -= 1;
        });
      }
      isFirst = false;
      isSilent = false;
      for (const id of known) {
        if (known.size <= MOST_KNOWN) break;
        known.delete(id);
      }
    } catch (error) {
      if (signal.aborted) return;
      if (!isSilent) warn(`Turns cannot be shown at the moment: ${describeError(error)}`);
      isSilent = true;
    }
    await delay(LOOK_EVERY_MS, undefined, { signal }).catch(() => undefined);
  }

  async function nameOf(agentId: string): Promise<string> {
    const name = names.get(agentId) ?? (await turnpike.agents.get(agentId, { signal })).name;
    names.set(agentId, name);
    return name;
  }
}

async function follow(turnpike: Turnpike, turn: Turn, name: string, signal: AbortSignal): Promise<void> {
  try {
    for await (const event of turnpike.turns.stream(turn.id, { signal })) {
      for (const line of describeEvent(event)) print(turn, name, line);
    }
  } catch (error) {
    if (!signal.aborted) print(turn, name, `cannot be followed: ${describeError(error)}`);
  }
}

function print({ id }: Turn, name: string, line: string): void {
  const time = new Date().toTimeString().slice(0, 8);
  // Control characters that a model or a tool wrote must not reach the terminal.
  say(`${time}  ${name.slice(0, 20).padEnd(10)} …${id.slice(-4)}  ${line}`.replaceAll(/\p{Cc}/gu, '\uFFFD'));
}
