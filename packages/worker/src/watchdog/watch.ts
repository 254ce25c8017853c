// The thread that notices when the event loop of the worker is held, and looks what holds it. With nothing but Node's own
// modules. It writes its log lines itself: those of the worker wait for its event loop.
import { writeSync } from 'node:fs';
import { Session } from 'node:inspector';
import { parentPort, workerData } from 'node:worker_threads';
import type { HeldLoop, WatchSettings } from './watch-loop.ts';

const { ticks: buffer, holdMs, endMs, fields, global } = workerData as WatchSettings;
const ticks = new Int32Array(buffer);
const LOOK_EVERY_MS = 100;
const MOST_FRAMES = 6;
const LOOK_LIMIT_MS = 10_000;
const STANDARD_OUTPUT = 1;

let seen = Atomics.load(ticks, 0);
let lookedAt = performance.now();
/** Of the time in which this thread ran too: a process that was frozen holds nothing. */
let heldMs = 0;
let held: HeldLoop | null = null;
let isLooking = false;

setInterval(() => {
  const now = Atomics.load(ticks, 0);
  const passedMs = performance.now() - lookedAt;
  lookedAt = performance.now();
  heldMs += Math.min(passedMs, 5 * LOOK_EVERY_MS);
  if (now !== seen) {
    if (held !== null) parentPort?.postMessage({ ...held, heldMs: Math.round(heldMs) });
    seen = now;
    heldMs = 0;
    held = null;
    return;
  }
  if (held === null && !isLooking && heldMs >= holdMs) void look();
  if (heldMs >= endMs) {
    log('The event loop was held for too long: the worker ends, and others go on with its turns.');
    process.kill(process.pid, 'SIGKILL');
  }
}, LOOK_EVERY_MS);

async function look(): Promise<void> {
  isLooking = true;
  try {
    held = await whatHolds();
    const advice = held.tool === null ? '' : ' A tool that computes belongs in a thread: isolate: true.';
    log(`The event loop is held: heartbeats and other turns wait.${advice}`);
  } catch {
    held = { tool: null, toolCallId: null, at: [] };
    log('The event loop was held: heartbeats and other turns waited.');
  } finally {
    isLooking = false;
  }
}

/** Pauses the main thread for a moment, wherever it is. */
function whatHolds(): Promise<HeldLoop> {
  const tick = Atomics.load(ticks, 0);
  const session = new Session();
  session.connectToMainThread();
  const urls = new Map<string, string>();
  return new Promise<HeldLoop>((resolve, reject) => {
    const timer = setTimeout(() => end(() => reject(new Error('It does not pause.'))), LOOK_LIMIT_MS);
    const end = (settle: () => void): void => {
      clearTimeout(timer);
      session.post('Debugger.disable', () => session.disconnect());
      settle();
    };
    session.on('Debugger.scriptParsed', ({ params }) => urls.set(params.scriptId, params.url));
    session.on('Debugger.paused', ({ params: { callFrames } }) => {
      if (Atomics.load(ticks, 0) !== tick) {
        session.post('Debugger.resume');
        end(() => reject(new Error('It is not held any more.')));
        return;
      }
      const at = callFrames.slice(0, MOST_FRAMES).map(({ functionName, location }) => {
        const { scriptId, lineNumber } = location;
        return `${functionName || '(anonymous)'} (${urls.get(scriptId) ?? '?'}:${lineNumber + 1})`;
      });
      const [frame] = callFrames;
      const asked = {
        callFrameId: frame?.callFrameId ?? '',
        expression: `globalThis.${global}()`,
        returnByValue: true,
      };
      session.post('Debugger.evaluateOnCallFrame', asked, (_error, evaluated) => {
        session.post('Debugger.resume');
        const scope = readScope(evaluated);
        end(() => resolve({ ...scope, at }));
      });
    });
    session.post('Debugger.enable', () => session.post('Debugger.pause'));
  });
}

/** The scope that the main thread was in, by the protocol's `{ result: { value } }` with JSON. */
function readScope(evaluated: unknown): Pick<HeldLoop, 'tool' | 'toolCallId'> {
  const { result } = (evaluated ?? {}) as { result?: { value?: unknown } };
  const json = result?.value;
  const scope: unknown = typeof json === 'string' ? JSON.parse(json) : null;
  if (typeof scope !== 'object' || scope === null || !('tool' in scope) || !('toolCallId' in scope)) {
    return { tool: null, toolCallId: null };
  }
  return { tool: String(scope.tool), toolCallId: String(scope.toolCallId) };
}

function log(message: string): void {
  const what = held === null ? {} : { tool: held.tool, tool_call_id: held.toolCallId, at: held.at };
  const line = {
    time: new Date().toISOString(),
    level: 'error',
    message,
    ...fields,
    held_ms: Math.round(heldMs),
    ...what,
  };
  writeSync(STANDARD_OUTPUT, `${JSON.stringify(line)}\n`);
}
