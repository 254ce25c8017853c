import { inputBlocks, ProblemError, sessionOf, type PutSchedule, type Schedule } from '@turnpike/contract';
import { agentOfSession, readAgent, type Due } from '@turnpike/store';
import { checkFiles, dueAt, nextTick, timingIssue, type RequestedTurn, type Times } from '@turnpike/turns';
import { checkMetadata } from './check-count.ts';
import { checkOverrides } from './check-overrides.ts';
import { checkPublicUrl } from './check-public-url.ts';
import type { Call, Services } from './route.ts';
import { throwIssues } from './throw-issues.ts';

type Asker = Pick<Call<unknown, unknown, unknown>, 'sql' | 'tenantId' | 'limits' | 'may'>;

/**
 * Checks a schedule as the submit of its turn is checked. Returns it as it is to be stored: a turn with overrides runs with
 * the version that they were checked with. Throws `ProblemError`: `not_found`, `invalid_request`, `override_not_allowed`,
 * `metadata_too_large`.
 */
export async function checkSchedule(
  asker: Asker,
  services: Services,
  asked: PutSchedule,
): Promise<PutSchedule> {
  const { tenantId, sql, limits } = asker;
  const { turn, session_id: sessionId, timing } = asked;
  const issue = timingIssue(timing);
  if (issue !== null) throwIssues([issue]);
  checkMetadata(turn, limits);
  checkPublicUrl(turn.webhook_url, 'turn.webhook_url', services);
  if ((await readAgent(sql, tenantId, turn.agent_id, turn.agent_version)) === null) {
    const of = turn.agent_version === undefined ? '' : ` of version ${turn.agent_version}`;
    throw new ProblemError('not_found', `There is no agent ${turn.agent_id}${of}.`);
  }
  if (sessionId !== undefined) {
    const agentId = await agentOfSession(sql, tenantId, { sessionId });
    if (agentId === null) throw new ProblemError('not_found', `There is no session ${sessionId}.`);
    if (agentId !== turn.agent_id)
      throwIssues([{ path: 'session_id', message: 'is a session of another agent' }]);
  }
  await checkFiles(sql, tenantId, inputBlocks(turn.input), 'turn.input');
  const version = await underTurn(() => {
    const requested: RequestedTurn = { of: 'new_session', submission: turn };
    return checkOverrides(asker, services, requested);
  });
  const whole = { ...asked, session: sessionOf(asked) };
  return version === null ? whole : { ...whole, turn: { ...turn, agent_version: version } };
}

/** What of a schedule decides when its ticks are. */
export interface Ticks extends Pick<Schedule, 'id' | 'timing' | 'jitter_seconds'> {
  starts_at?: string | null | undefined;
  ends_at?: string | null | undefined;
  created_at: Date;
}

/** The ticks after a time, `most` of them at most. */
export function ticksAfter(ticks: Ticks, after: Date, most: number): Due[] {
  const timeOf = (text: string | null | undefined): Date | null => (text == null ? null : new Date(text));
  const times: Times = {
    timing: ticks.timing,
    startsAt: timeOf(ticks.starts_at),
    endsAt: timeOf(ticks.ends_at),
    createdAt: ticks.created_at,
  };
  const found: Due[] = [];
  for (let tick = nextTick(times, after); tick !== null && found.length < most; tick = nextTick(times, tick))
    found.push({ tickAt: tick, dueAt: dueAt(ticks.id, tick, ticks.jitter_seconds) });
  return found;
}

/** The first tick after a time. Throws `invalid_request` where there is none. */
export function firstTick(ticks: Ticks, after: Date): Due {
  const [next] = ticksAfter(ticks, after, 1);
  if (next !== undefined) return next;
  throw new ProblemError('invalid_request', 'The body is not valid.', {
    issues: [{ path: 'timing', message: 'has no tick that lies ahead' }],
  });
}

/** What is wrong with overrides is said of them where they are: in the turn. */
async function underTurn<Result>(check: () => Promise<Result>): Promise<Result> {
  try {
    return await check();
  } catch (error) {
    if (!(error instanceof ProblemError) || error.issues === undefined) throw error;
    const issues = error.issues.map(({ path, message }) => ({ path: `turn.${path}`, message }));
    throw new ProblemError(error.code, error.message, { issues });
  }
}
