import { followEvents, type Follower } from '../follow-events.ts';
import { untilNoneOpen } from '../load.ts';
import type { Finding } from '../report.ts';
import type { Scenario } from '../scenario.ts';
import { percentile } from '../statistics.ts';
import { Turnpike } from '../turnpike.ts';
import { cpuShare } from '../vitals.ts';
import { withWires } from '../wire.ts';

const TOKENS_PER_SECOND = 50;
const WORKERS = 2;
/** At the largest crowd. Milliseconds. */
const TARGETS = { p50: 15, p99: 100 };

const CROWDS = [1, 100, 1_000];

/** The delay of a token: from the simulator's timestamp to the client's read. */
export const streaming: Scenario = {
  name: 'streaming',
  async run({ stage, progress, quick }) {
    const crowds = quick ? CROWDS.slice(0, 2) : CROWDS;
    progress.begin('streaming', 1 + crowds.length);
    progress.step('warm-up');
    const seconds = quick ? 5 : 10;
    const text = Array.from({ length: seconds * TOKENS_PER_SECOND }, () => 'word ').join('');
    // Time to open the streams before the first token.
    await stage.setModel({
      // About as many tokens in a delta as the real API sends.
      defaults: { first_token_ms: 4_000, tokens_per_second: TOKENS_PER_SECOND, stamp: true },
      rules: [{ reply: { text } }],
    });
    const turnpike = await Turnpike.start(stage, {
      workers: WORKERS,
      environment: { CONCURRENCY: '600', MAX_STREAMS_PER_TENANT: '5000' },
    });
    const findings: Omit<Finding, 'scenario'>[] = [];
    await delaysOf(turnpike, 20);
    for (const streams of crowds) {
      progress.step(`${streams} streams`);
      const processes = [turnpike.api, stage.model, ...turnpike.workers];
      await Promise.all(processes.map((process) => process.vitals()));
      const delays = await delaysOf(turnpike, streams);
      const [api, model, ...workers] = await Promise.all(processes.map((process) => process.vitals()));
      if (api === undefined || model === undefined) throw new Error('A process has no vitals.');
      const isLargest = streams === Math.max(...CROWDS);
      const at = `${streams} ${streams === 1 ? 'stream' : 'streams'}`;
      findings.push(
        { what: `${at}: tokens read`, value: delays.length, unit: '' },
        {
          what: `${at}: added delay, p50`,
          value: percentile(delays, 0.5),
          unit: 'ms',
          ...(isLargest ? { target: { atMost: TARGETS.p50 } } : {}),
        },
        {
          what: `${at}: added delay, p99`,
          value: percentile(delays, 0.99),
          unit: 'ms',
          ...(isLargest ? { target: { atMost: TARGETS.p99 } } : {}),
        },
        { what: `${at}: processor of the API`, value: cpuShare(api), unit: 'of one' },
        ...workers.map((worker, index) => ({
          what: `${at}: processor of worker ${index + 1}`,
          value: cpuShare(worker),
          unit: 'of one',
        })),
        { what: `${at}: processor of the simulator`, value: cpuShare(model), unit: 'of one' },
      );
    }
    await turnpike.stop();
    return findings;
  },
};

/** The delay of each token of `count` turns that stream at once, each to its own reader. Milliseconds. */
async function delaysOf(turnpike: Turnpike, streams: number): Promise<number[]> {
  const delays: number[] = [];
  const followers: Follower[] = [];
  await withWires(
    Math.min(streams, 32),
    () => turnpike.wire(),
    async (wires) => {
      let left = streams;
      await Promise.all(
        wires.map(async (wire) => {
          while (left-- > 0) {
            const id = await turnpike.submit(wire);
            const url = `${turnpike.url}/v1/turns/${id}/events`;
            followers.push(await followEvents(url, turnpike.headers, stampReader(delays)));
          }
        }),
      );
    },
  );
  await untilNoneOpen(turnpike);
  await Promise.all(followers.map(({ ended }) => ended));
  return delays;
}

/** Reads the timestamps in a stream; the whole step, which is sent at its end, is skipped. */
function stampReader(delays: number[]): (piece: string) => void {
  let rest = '';
  return (piece) => {
    const now = Number(process.hrtime.bigint() / 1_000n) / 1_000;
    const blocks = (rest + piece).split('\n\n');
    rest = blocks.pop() ?? '';
    for (const block of blocks) {
      if (!block.includes('event: message.delta')) continue;
      for (const [, stamp] of block.matchAll(/<t=([\d.]+)>/g)) delays.push(now - Number(stamp));
    }
  };
}
