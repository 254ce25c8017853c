import { newId, type Advance } from '@turnpike/contract';
import { advanceTurn, claimTurn, dispatchTurns } from '@turnpike/store';
import { modelStep } from '../../../tests/support/model-step.ts';
import { growSession, growTenants, growTurns } from '../grow.ts';
import type { Finding } from '../report.ts';
import { alternate } from '../rounds.ts';
import type { Scenario } from '../scenario.ts';
import { median } from '../statistics.ts';
import { Turnpike } from '../turnpike.ts';

const SMALL = 1_000;

/**
 * Stored rows must not slow anything down: compares what is done for a turn with many stored turns, tenants and messages
 * and with few. `--long` stores ten million turns, which takes an hour.
 */
export const growth: Scenario = {
  name: 'growth',
  async run({ stage, progress, quick, long }) {
    const large = quick ? 100_000 : long ? 10_000_000 : 1_000_000;
    const rounds = quick ? 5 : 9;
    const findings: Omit<Finding, 'scenario'>[] = [];
    progress.begin('growth', 6);
    // The reconciler must not repair anything meanwhile, nor be measured.
    const environment = { RECONCILE_EVERY_MS: '600000' };
    const few = await Turnpike.start(stage, { workers: 0, environment });
    const many = await Turnpike.start(stage, { workers: 0, environment });
    progress.step(`${SMALL} turns`);
    await growTurns(few, SMALL, () => undefined);
    progress.step(`${large} turns`);
    await growTurns(many, large, () => undefined);
    progress.step('warm-up');
    for (const turnpike of [few, many]) await timeMoves(turnpike, newSession, 100);
    progress.step('submit and claim');
    const pairs = await alternate(
      rounds,
      () => timeMoves(few, newSession, 40),
      () => timeMoves(many, newSession, 40),
    );
    for (const move of MOVES) {
      findings.push(
        {
          what: `${move}, ${SMALL} turns stored: p50`,
          value: median(pairs.map(([one]) => one[move])),
          unit: 'ms',
        },
        {
          what: `${move}, ${large} turns stored: p50`,
          value: median(pairs.map(([, all]) => all[move])),
          unit: 'ms',
        },
        {
          what: `${move}: p50 beside ${large} turns, to ${SMALL}`,
          value: median(pairs.map(([one, all]) => all[move] / one[move])),
          unit: 'x',
          ...(move === 'dispatch' ? {} : { target: { atMost: 1.3 } }),
        },
      );
    }
    progress.step('tenants');
    let tenants = 1;
    for (const more of [100, 10_000]) {
      await growTenants(many, tenants, more);
      tenants = more;
      const beside = await alternate(
        rounds,
        () => timeMoves(few, newSession, 20),
        () => timeMoves(many, newSession, 20),
      );
      for (const move of MOVES) {
        findings.push({
          what: `${move}: p50 beside ${more} tenants with waiting turns, to one`,
          value: median(beside.map(([one, all]) => all[move] / one[move])),
          unit: 'x',
          ...(move === 'dispatch' ? {} : { target: { atMost: 1.3 } }),
        });
      }
    }
    progress.step('messages in a session');
    const short = await growSession(few, 10, false);
    for (const summarized of [true, false]) {
      const lengthy = await growSession(few, 10_000, summarized);
      const both = await alternate(
        rounds,
        () => timeMoves(few, toSession(short), 15),
        () => timeMoves(few, toSession(lengthy), 15),
      );
      const what = summarized
        ? '10,000 messages, most of them in a summary'
        : '10,000 messages, all of them read';
      for (const move of ['submit', 'claim'] as const) {
        findings.push({
          what: `${move}: p50 in a session of ${what}, to 10`,
          value: median(both.map(([one, all]) => all[move] / one[move])),
          unit: 'x',
          ...(summarized || move === 'submit' ? { target: { atMost: 1.3 } } : {}),
        });
      }
    }
    await Promise.all([few.stop(), many.stop()]);
    return findings;
  },
};

const MOVES = ['submit', 'dispatch', 'claim', 'finish', 'read', 'list', 'stream'] as const;
type Moves = Record<(typeof MOVES)[number], number>;
type Target = (agentId: string) => { path: string; body: object };

const newSession: Target = (agentId) => ({ path: '/v1/turns', body: { agent_id: agentId } });
const toSession =
  (id: string): Target =>
  () => ({ path: `/v1/sessions/${id}/turns`, body: {} });

/** The p50 of each operation on a single turn, in milliseconds: the submit by HTTP, the others at the database. */
async function timeMoves(turnpike: Turnpike, target: Target, count: number): Promise<Moves> {
  const wire = turnpike.wire();
  const { pool } = turnpike.database;
  const times: Record<keyof Moves, number[]> = {
    submit: [],
    dispatch: [],
    claim: [],
    finish: [],
    read: [],
    list: [],
    stream: [],
  };
  const timed = async <Result>(move: keyof Moves, work: () => Promise<Result>): Promise<Result> => {
    const began = performance.now();
    const result = await work();
    times[move].push(performance.now() - began);
    return result;
  };
  for (let turn = 0; turn < count; turn++) {
    const { path, body } = target(turnpike.agentId);
    const stored = await timed('submit', () => wire.request('POST', path, { input: 'Hello.', ...body }));
    const turnId = String(stored['id']);
    // The API dispatches it as well; the second dispatch finds nothing to do.
    await timed('dispatch', () => dispatchTurns(pool, [], [turnpike.tenantId]));
    await untilDispatched(turnpike, turnId);
    const claim = { turnId, epoch: 0, from: ['queued'] as const, workerId: 'bench', leaseMs: 60_000 };
    const claimed = await timed('claim', () => claimTurn(pool, claim));
    if (claimed === null) throw new Error(`${turnId} could not be claimed.`);
    const fence = {
      turnId,
      epoch: claimed.epoch,
      from: ['in_progress'] as const,
      eventCount: claimed.eventCount,
    };
    await timed('finish', () => advanceTurn(pool, fence, end()));
    await timed('read', () => wire.request('GET', `/v1/turns/${turnId}`));
    await timed('list', () => wire.request('GET', '/v1/turns?limit=20'));
    await timed('stream', () => readEvents(turnpike, turnId));
  }
  await wire.close();
  const p50 = (move: keyof Moves): number => median(times[move]);
  return {
    submit: p50('submit'),
    dispatch: p50('dispatch'),
    claim: p50('claim'),
    finish: p50('finish'),
    read: p50('read'),
    list: p50('list'),
    stream: p50('stream'),
  };
}

const RESPONSE = [{ type: 'text', text: 'Hello to you.' }];

/** The write that ends a turn of one step. */
const end = (): Advance => ({
  step: modelStep(),
  messages: [{ role: 'assistant', content: RESPONSE }],
  events: [{ id: newId('event'), type: 'turn.completed', payload: {} }],
  outcome: { status: 'completed', stopReason: 'end_turn', output: RESPONSE, error: null },
});

/** All events of a turn that has ended: the stream ends after the last. */
async function readEvents(turnpike: Turnpike, turnId: string): Promise<void> {
  const response = await fetch(`${turnpike.url}/v1/turns/${turnId}/events`, { headers: turnpike.headers });
  const text = await response.text();
  if (!text.includes('turn.completed')) throw new Error(`${turnId} has no end in its stream.`);
}

async function untilDispatched(turnpike: Turnpike, turnId: string): Promise<void> {
  for (;;) {
    const { rows } = await turnpike.database.pool.query(
      'SELECT 1 FROM turns WHERE id = $1 AND dispatched_at IS NOT NULL',
      [turnId],
    );
    if (rows.length > 0) return;
    await new Promise((resolve) => setTimeout(resolve, 1));
  }
}
