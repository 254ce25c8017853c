// Loaded before a worker's own code: it says each boundary that its turns pass, and kills itself at those
// that CHAOS_CRASH_PLAN names: `{ [turnId]: [first boundary, the next one, ...] }`. Each is noted in
// CHAOS_CRASH_FOLDER: it is not told by the attempt, since one may be lost with a worker that died of another
// turn just when it claimed this one.
import { existsSync, writeFileSync, writeSync } from 'node:fs';
import { join } from 'node:path';
import { boundaryOf, PORTS } from './boundaries.mjs';
import { rewriteFiles } from './rewrite-files.mjs';

const plan = JSON.parse(process.env.CHAOS_CRASH_PLAN ?? '{}');

/** No turn is claimed before that: the process that started this one waits for its first message. */
const saidReady = new Promise((resolve) => {
  const send = process.send.bind(process);
  process.send = (message) => send(message, resolve);
});

/** Counts the boundaries of one attempt at a turn. */
function startCounting(turnId, attempt) {
  const counts = new Map();
  const pass = (side, port) => {
    const count = (counts.get(side + port) ?? 0) + 1;
    counts.set(side + port, count);
    const boundary = boundaryOf(side, port, count);
    // Past the stream, whose queue would be lost with the process.
    writeSync(1, `[boundary] ${turnId} ${attempt} ${boundary}\n`);
    const note = nextNote(turnId);
    if (plan[turnId]?.[note.index] === boundary) crash(note, turnId, attempt, boundary);
  };
  return async (port, call) => {
    pass('before', port);
    try {
      return await call();
    } finally {
      pass('after', port);
    }
  };
}

/** Of the turn's next crash: `index` is how many it has had. */
function nextNote(turnId) {
  const pathOf = (index) => join(process.env.CHAOS_CRASH_FOLDER, `${turnId}.${index}`);
  let index = 0;
  while (existsSync(pathOf(index))) index += 1;
  return { index, path: pathOf(index) };
}

function crash(note, turnId, attempt, boundary) {
  writeFileSync(note.path, '');
  writeSync(1, `[crash] ${turnId} ${attempt} ${boundary}\n`);
  process.kill(process.pid, 'SIGKILL');
}

function watched(target, kind, around) {
  return new Proxy(target, {
    get(_, name) {
      const value = Reflect.get(target, name, target);
      if (typeof value !== 'function') return value;
      const port = `${kind}.${String(name)}`;
      if (!PORTS.includes(port)) return value.bind(target);
      return (...given) => around(port, () => value.apply(target, given));
    },
  });
}

const attempts = new WeakMap();

globalThis.turnpikeBoundaries = {
  async claim(job, claim) {
    await saidReady;
    const around = startCounting(job.turnId, job.epoch + 1);
    const lease = await around('claim', claim);
    if (lease !== null) attempts.set(lease, around);
    return lease;
  },
  watch(lease, given) {
    const around = attempts.get(lease);
    const model = watched(given.model, 'model', around);
    const tools = watched(given.tools, 'tools', around);
    const parts = { ...given, model, tools };
    return [watched(lease, 'lease', around), parts];
  },
  run(runTurn, lease, parts) {
    return runTurn(...this.watch(lease, parts));
  },
};

rewriteFiles([
  {
    file: 'packages/worker/dist/program/run-turns.js',
    text: 'await this.#keeper.claim(job)',
    instead: 'await globalThis.turnpikeBoundaries.claim(job, () => this.#keeper.claim(job))',
  },
  {
    file: 'packages/worker/dist/program/run-turns.js',
    text: 'await runTurn(lease, {',
    instead: 'await globalThis.turnpikeBoundaries.run(runTurn, lease, {',
  },
]);
