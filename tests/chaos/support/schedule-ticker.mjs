// A process that runs schedules by a simulated clock: the milliseconds in `CLOCK_FILE`.
import { readFileSync } from 'node:fs';
import { setTimeout as delay } from 'node:timers/promises';
import { openBackplane } from '@turnpike/backplane';
import { openDatabase } from '@turnpike/store';
import { Dispatcher, ScheduleRunner } from '@turnpike/turns';

const { DATABASE_URL, BACKPLANE_URL, BACKPLANE_PREFIX, CLOCK_FILE } = process.env;
const onError = (error) => void process.stderr.write(`${error?.stack ?? error}\n`);
const database = openDatabase({ url: DATABASE_URL, poolSize: 4, applicationName: 'ticker', onError });
const backplane = await openBackplane({ url: BACKPLANE_URL, prefix: BACKPLANE_PREFIX, onError });
const dispatcher = new Dispatcher({ database, backplane, onError });
const clock = () => new Date(Number(readFileSync(CLOCK_FILE, 'utf8')));
const runner = new ScheduleRunner({ database, backplane, dispatcher, reportError: onError }, clock);
process.send({ type: 'ready' });
for (;;) {
  await runner.pass().then(({ errors }) => errors.forEach(onError), onError);
  await delay(10);
}
