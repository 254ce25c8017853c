import pg from 'pg';
import { measureTurns, processorTotal, runTurns, type TurnCost } from '../measure-turns.ts';
import type { Finding } from '../report.ts';
import type { Scenario } from '../scenario.ts';
import { median } from '../statistics.ts';
import { Turnpike } from '../turnpike.ts';

const statementColumns = 'query, calls, total_exec_time, wal_records, wal_bytes, shared_blks_hit';

interface StatementRow {
  query: string;
  calls: string;
  total_exec_time: number;
  wal_records: string;
  wal_bytes: string;
  shared_blks_hit: string;
}

/**
 * Where the processor time of a one-step turn goes, for Turnpike alone: each process, and the statements that cost
 * Postgres most. It takes a minute, so that a change can be measured in turn with the code before it.
 */
export const profile: Scenario = {
  name: 'profile',
  async run({ stage, progress, quick }) {
    const rounds = quick ? 3 : 5;
    const roundMs = quick ? 4_000 : 8_000;
    await stage.setModel({ rules: [{ reply: { text: 'Hello to you.' } }] });
    const turnpike = await Turnpike.start(stage, { workers: 1 });
    progress.begin('profile', rounds + 1);
    progress.step('warm-up');
    await runTurns(turnpike, quick ? 10_000 : 30_000);
    const client = new pg.Client({ connectionString: stage.postgresUrl });
    await client.connect();
    await client.query('SELECT pg_stat_statements_reset()');
    const costs: TurnCost[] = [];
    for (let round = 0; round < rounds; round++) {
      progress.step(`round ${round + 1}`);
      costs.push(await measureTurns(stage, turnpike, roundMs));
    }
    const { rows } = await client.query<StatementRow>(
      `SELECT ${statementColumns} FROM pg_stat_statements WHERE dbid = (SELECT oid FROM pg_database WHERE datname = $1)
       ORDER BY total_exec_time DESC LIMIT 12`,
      [new URL(turnpike.databaseUrl).pathname.slice(1)],
    );
    await client.end();
    await turnpike.stop();
    return [
      ...findingsOf(costs),
      ...statementFindings(
        rows,
        costs.reduce((sum, cost) => sum + cost.turns, 0),
      ),
    ];
  },
};

function findingsOf(costs: readonly TurnCost[]): Omit<Finding, 'scenario'>[] {
  const of = (value: (cost: TurnCost) => number): number => median(costs.map((cost) => value(cost)));
  return [
    { what: 'turns', value: of((cost) => cost.perSecond), unit: '/s' },
    ...[...(costs[0]?.processorMs.keys() ?? [])].map((name) => ({
      what: `processor time a turn, ${name}`,
      value: of((cost) => cost.processorMs.get(name) ?? 0),
      unit: 'ms',
    })),
    { what: 'processor time a turn, all', value: of(processorTotal), unit: 'ms' },
  ];
}

function statementFindings(rows: readonly StatementRow[], turns: number): Omit<Finding, 'scenario'>[] {
  return rows.flatMap(({ query, ...row }) => {
    const name = query.replaceAll(/\s+/g, ' ').trim().slice(0, 40);
    return [
      { what: `${name}: time a turn`, value: row.total_exec_time / turns, unit: 'ms' },
      { what: `${name}: calls a turn`, value: Number(row.calls) / turns, unit: '' },
      { what: `${name}: WAL records a turn`, value: Number(row.wal_records) / turns, unit: '' },
      { what: `${name}: WAL a turn`, value: Number(row.wal_bytes) / turns / 1024, unit: 'KiB' },
      { what: `${name}: pages read a turn`, value: Number(row.shared_blks_hit) / turns, unit: '' },
    ];
  });
}
