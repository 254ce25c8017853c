import {
  newId,
  ProblemError,
  submitTurnSchema,
  type Advance,
  type MultitaskStrategy,
} from '@turnpike/contract';
import {
  advanceTurn,
  claimTurn,
  deleteSession,
  expireActions,
  expireDeadlines,
  expireLeases,
  releaseTurn,
  renewLeases,
  type Database,
  type Sql,
} from '@turnpike/store';
import { modelStep } from '../../../../tests/support/model-step.ts';
import { answerAction, CheckedAnswers } from '../answer-action.ts';
import { cancelTurn } from '../cancel-turn.ts';
import { TRANSITIONS } from '../transitions.ts';
import { ending, parking, type Scene } from './race-scene.ts';
import { doneOf, submitTo } from './submit-to.ts';

/** Something that changes a turn, by the same function as in production; returns its result in a word. */
export interface Move {
  run(pool: Database['pool'], scene: Scene): Promise<string>;
  /** It is periodic: states are compared after one more run of it. */
  comesAgain?: boolean;
  /** It skips locked rows, so it is also tested as the move that holds them. */
  passesOver?: boolean;
}

const submit =
  (strategy: MultitaskStrategy): Move['run'] =>
  async (pool, { tenantId, sessionId }) => {
    const submission = submitTurnSchema.parse({ input: 'More.', multitask_strategy: strategy });
    const submitted = await submitTo({ pool }, tenantId)({ of: 'session', sessionId, submission });
    const { turn, cancelled } = doneOf(submitted);
    return [turn.status, ...cancelled.map(({ status }) => status)].join();
  };

const advance =
  (write: (scene: Scene) => Advance): Move['run'] =>
  async (sql, scene) => {
    const { turnId, epoch, eventCount } = scene;
    const fence = { turnId, epoch, from: TRANSITIONS.advance.from, eventCount };
    return (await advanceTurn(sql, fence, write(scene)))?.status ?? 'lost';
  };

/** What it did, not the state of the turn afterwards. */
const cancel = async (sql: Sql, tenantId: string, turnId: string): Promise<string> =>
  (await cancelTurn(sql, tenantId, turnId)).cancelled?.status ?? 'over';

const isOurs = (turns: readonly { turnId: string }[], { turnId }: Scene): string =>
  turns.some((turn) => turn.turnId === turnId) ? 'done' : 'nothing';

const MOVES = {
  accept: { run: submit('enqueue'), passesOver: true },
  reject: { run: submit('reject') },
  steer: { run: submit('steer') },
  interrupt: { run: submit('interrupt') },
  rollback: { run: submit('rollback') },
  claim: {
    passesOver: true,
    async run(sql, { turnId }) {
      const claim = { turnId, epoch: 0, from: TRANSITIONS.claim.from, workerId: 'w', leaseMs: 60_000 };
      return (await claimTurn(sql, claim)) === null ? 'stale' : 'claimed';
    },
  },
  renew: {
    comesAgain: true,
    passesOver: true,
    async run(sql, { turnId, epoch }) {
      return JSON.stringify([...(await renewLeases(sql, [{ turnId, epoch }], 60_000)).values()]);
    },
  },
  step: {
    passesOver: true,
    run: advance(() => ({
      step: modelStep(),
      addPendingInputs: true,
      messages: [{ role: 'assistant', content: [{ type: 'text', text: 'So far.' }] }],
      events: [{ id: newId('event'), type: 'step.completed', payload: {} }],
    })),
  },
  complete: { run: advance(() => ending('completed')), passesOver: true },
  fail: { run: advance(() => ending('failed')) },
  park: { run: advance(({ callId }) => parking(callId)), passesOver: true },
  release: {
    async run(sql, { turnId, epoch }) {
      const [from] = TRANSITIONS.release.from;
      const release = { delayMs: 0, modelAttempts: 0, error: null };
      return String(await releaseTurn(sql, { turnId, epoch, from }, release));
    },
  },
  cancel: {
    run: (sql, { tenantId, turnId }) => cancel(sql, tenantId, turnId),
  },
  cancelNext: {
    run: (sql, { tenantId, nextId }) => cancel(sql, tenantId, nextId ?? ''),
  },
  answer: {
    async run(sql, { tenantId, turnId, callId }) {
      const answers = { tool_outputs: [{ tool_call_id: callId, approved: true }] };
      return (await answerAction(sql, tenantId, turnId, answers, new CheckedAnswers())).turn.status;
    },
  },
  resume: {
    async run(pool, { tenantId, turnId }) {
      const resumed = await submitTo({ pool }, tenantId)({ of: 'stopped_turn', turnId, submission: {} });
      return doneOf(resumed).turn.status;
    },
  },
  erase: {
    run: async (sql, { tenantId, sessionId }) => String(await deleteSession(sql, tenantId, sessionId)),
  },
  expireLease: {
    comesAgain: true,
    passesOver: true,
    run: async (sql, scene) => isOurs(await expireLeases(sql, { limit: 50, maxLostLeases: 5 }), scene),
  },
  expireAction: {
    comesAgain: true,
    passesOver: true,
    run: async (sql, scene) => isOurs(await expireActions(sql, 50), scene),
  },
  miss: {
    comesAgain: true,
    passesOver: true,
    run: async (sql, scene) => isOurs(await expireDeadlines(sql, 50), scene),
  },
} satisfies Record<string, Move>;

export type MoveName = keyof typeof MOVES;
export const moveOf = (name: MoveName): Move => MOVES[name];

/** The result of a move; a refusal by its code. What the API would respond to with a 5xx is thrown. */
export async function answerOf(move: Move, pool: Database['pool'], scene: Scene): Promise<string> {
  try {
    return await move.run(pool, scene);
  } catch (error) {
    if (error instanceof ProblemError) return `refused: ${error.code}`;
    throw error;
  }
}
