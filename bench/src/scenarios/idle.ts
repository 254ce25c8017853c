import { processorTimes } from '../measure-turns.ts';
import type { Finding } from '../report.ts';
import type { Scenario } from '../scenario.ts';
import { Turnpike } from '../turnpike.ts';

const WAITING = 10_000;
/** Of webhooks: receivers that are down. */
const LANES = 100;

/**
 * What waits costs nothing: one API and one worker, with ten thousand parked turns and ten thousand deliveries whose
 * time has not come, and nothing to do.
 */
export const idle: Scenario = {
  name: 'idle',
  async run({ stage, progress, quick }) {
    const seconds = quick ? 15 : 60;
    progress.begin('idle', 4);
    progress.step('start');
    const turnpike = await Turnpike.start(stage, { workers: 1, environment: { BENCH_LAG: 'off' } });
    const empty = await measureIdle(stage, turnpike, seconds, () => progress.step('empty'));
    await fill(turnpike);
    const full = await measureIdle(stage, turnpike, seconds, () => progress.step('full'));
    await turnpike.stop();
    const findings: Omit<Finding, 'scenario'>[] = [];
    for (const [what, used] of [
      ['empty', empty],
      [`${WAITING} parked turns and deliveries`, full],
    ] as const) {
      for (const [name, share] of used) {
        findings.push({ what: `${what}: ${name}`, value: share, unit: '% of a processor' });
      }
      findings.push({
        what: `${what}: all`,
        value: [...used.values()].reduce((sum, share) => sum + share, 0),
        unit: '% of a processor',
        target: { atMost: 2 },
      });
    }
    return findings;
  },
};

/** Percent of a processor by process. */
async function measureIdle(
  stage: Parameters<typeof processorTimes>[0],
  turnpike: Turnpike,
  seconds: number,
  begin: () => void,
): Promise<Map<string, number>> {
  // What starting and filling left to do is done first.
  await new Promise((resolve) => setTimeout(resolve, 5_000));
  begin();
  const before = await processorTimes(stage, turnpike);
  const startedAt = performance.now();
  await new Promise((resolve) => setTimeout(resolve, seconds * 1_000));
  const after = await processorTimes(stage, turnpike);
  const took = performance.now() - startedAt;
  return new Map([...after].map(([name, ms]) => [name, ((ms - (before.get(name) ?? 0)) / took) * 100]));
}

async function fill({ database: { pool }, tenantId, agentId }: Turnpike): Promise<void> {
  await pool.query(
    `INSERT INTO sessions (id, tenant_id, agent_id, last_sequence, open_turns)
     SELECT 'sess_i' || lpad(n::text, 25, '0'), $1, $2, 1, 1 FROM generate_series(1, $3::int) AS n`,
    [tenantId, agentId, WAITING],
  );
  await pool.query(
    `INSERT INTO turns (id, tenant_id, session_id, sequence, agent_id, agent_version, message_count, event_count, attempts,
                        epoch, ready_at, available_at, outage, deadline_at)
     SELECT 'turn_i' || lpad(n::text, 25, '0'), $1, 'sess_i' || lpad(n::text, 25, '0'), 1, $2, 1, 1, 1, 1, 1, now(),
            now() + interval '1 day', 'away', now() + interval '2 days' FROM generate_series(1, $3::int) AS n`,
    [tenantId, agentId, WAITING],
  );
  await pool.query(
    `INSERT INTO deliveries (id, tenant_id, url, lane, event_id, type, payload, status, attempts, tries, fresh,
                             next_attempt_at)
     SELECT 'dlv_i' || lpad(n::text, 25, '0'), $1, 'https://away.example/' || n % $3, $1 || ' https://away.example/' || n % $3,
            'evt_i' || n, 'turn.completed', '{}', 'failed', 3, 3, false, now() + interval '1 day'
     FROM generate_series(1, $2::int) AS n`,
    [tenantId, WAITING, LANES],
  );
  await pool.query('VACUUM ANALYZE turns, sessions, deliveries');
}
