// Runs tools in a thread: started by `threads.ts`, with nothing but Node's own modules, since the tool's module brings the
// rest.
import { AsyncLocalStorage } from 'node:async_hooks';
import { format, inspect } from 'node:util';
import { parentPort, type MessagePort } from 'node:worker_threads';
import { LinePace, ProgressPace } from './message-pace.ts';
import type {
  FromRun,
  FromThread,
  RunInThread,
  ThreadOutcome,
  ThreadRequest,
  ThrownInThread,
  ToThread,
  Within,
} from './messages.ts';

interface Tool {
  type: 'code';
  name: string;
  hash: string;
  code: {
    input: Schema;
    run(input: unknown, call: unknown): unknown;
    reconcile: ((input: unknown, call: unknown) => unknown) | null;
  };
}

interface Schema {
  '~standard': {
    validate(value: unknown): unknown;
    jsonSchema?: { input(options: { target: string }): unknown };
  };
}

interface Waiting {
  resolve(value: unknown): void;
  reject(error: unknown): void;
}

if (parentPort === null) throw new Error('This file is run as a thread.');
const port: MessagePort = parentPort;
const post = (message: FromThread): void => port.postMessage(message);

/** One run of a tool. Code of it may go on after its end; what it says then is of this run, and of no later one. */
interface Run {
  id: number;
  abort: AbortController;
  /** Durable steps in progress. */
  steps: Set<Promise<unknown>>;
}

const MOST_CHARACTERS = 2_000;
const MOST_FRAMES = 8;
/** Steps, requests and questions that wait for the worker. */
const MOST_REQUESTS = 2_000;

const waiting = new Map<number, Waiting>();
const steps = new Map<number, (context: unknown) => unknown>();
const schemas = new Map<number, Schema>();
const currentRun = new AsyncLocalStorage<Run>();
const currentStep = new AsyncLocalStorage<Within>();
let requests = 0;
/** The newest one: what is not known to be of another is of this. */
let newest: Run = { id: 0, abort: new AbortController(), steps: new Set() };

const lines = new LinePace();
const say = (message: FromRun, run = currentRun.getStore() ?? newest): void =>
  post({ ...message, run: run.id });

port.on('message', (message: ToThread) => void receive(message));

// What it writes may hold secrets: it goes through the log of its call.
const LEVELS = { debug: 'debug', log: 'info', info: 'info', warn: 'warn', error: 'error' } as const;
for (const [method, level] of Object.entries(LEVELS) as [keyof typeof LEVELS, 'info'][]) {
  // eslint-disable-next-line no-console
  console[method] = (...values: unknown[]) => logText(level, format(...values));
}
for (const [stream, level] of [
  [process.stdout, 'info'],
  [process.stderr, 'error'],
] as const) {
  stream.write = (chunk: unknown, ...rest: unknown[]) => {
    logText(level, typeof chunk === 'string' ? chunk.trimEnd() : Buffer.from(chunk as Uint8Array).toString());
    const written = rest.at(-1);
    if (typeof written === 'function') queueMicrotask(() => written());
    return true;
  };
}
// A rejection or an exception that the code lets escape does not end the thread, as it does not end the worker.
const escaped = (error: unknown): void => {
  const at = thrown(error)
    .stack.split('\n')
    .map((line) => line.trim())
    .filter((line) => line.startsWith('at '));
  say({
    type: 'log',
    level: 'error',
    message: 'A tool let an error escape.',
    fields: { error_at: at.slice(0, MOST_FRAMES) },
  });
};
process.on('unhandledRejection', escaped);
process.on('uncaughtException', escaped);

type Level = 'debug' | 'info' | 'warn' | 'error';

function logText(level: Level, message: string): void {
  sayLine(level, message, () => ({}));
}

function sayLine(level: Level, message: string, fields: () => Record<string, unknown>, run?: Run): void {
  const taken = lines.take();
  if (taken === null) return;
  const left = taken.omitted === 0 ? {} : { omitted_lines: taken.omitted };
  const text = message.slice(0, MOST_CHARACTERS);
  say({ type: 'log', level, message: text, fields: { ...fields(), ...left } }, run);
}

async function receive(message: ToThread): Promise<void> {
  switch (message.type) {
    case 'find':
      post({ type: 'found', problem: await findProblem(message) });
      return;
    case 'run':
      await runToEnd(message.run);
      return;
    case 'abort':
      newest.abort.abort(new Error(message.reason));
      return;
    case 'result':
      take(message.id)?.resolve(message.value);
      return;
    case 'failure':
      take(message.id)?.reject(
        Object.assign(new Error(message.error.message), {
          kind: message.error.kind ?? undefined,
          afterMs: message.error.afterMs,
        }),
      );
      return;
    case 'doStep': {
      const { id, idempotencyKey } = message;
      const run = newest;
      const work = steps.get(id);
      const outcome = await outcomeOf(() => work?.({ idempotencyKey, signal: run.abort.signal }));
      say({ type: 'stepDone', id, outcome }, run);
      return;
    }
    case 'check': {
      const run = newest;
      const result = await check(schemas.get(message.id), message.value);
      say({ type: 'checked', id: message.id, result }, run);
      return;
    }
    default:
      message satisfies never;
  }
}

/** Steps that the code does not await are waited for, as outside of a thread. */
async function runToEnd(given: RunInThread): Promise<void> {
  const run: Run = { id: given.id, abort: new AbortController(), steps: new Set() };
  newest = run;
  await currentRun.run(run, async () => {
    const outcome = await outcomeOf(() => runTool(given, run));
    if (run.steps.size > 0) {
      logText('warn', 'A tool returned before its steps did: it does not await them.');
      await Promise.allSettled(run.steps);
    }
    say({ type: 'done', outcome });
  });
}

/** Only messages and paths of issues: some libraries give objects that JSON cannot hold. */
async function check(schema: Schema | undefined, value: unknown): Promise<unknown> {
  const result = (await schema?.['~standard'].validate(value)) as
    | { value?: unknown; issues?: { message: string; path?: unknown[] }[] }
    | undefined;
  if (result === undefined) return { issues: [{ message: 'is unknown' }] };
  const { issues } = result;
  if (issues === undefined) return { value: plain(result.value) };
  return {
    issues: [...issues].map(({ message, path = [] }) => ({ message, path: [...path].map(keyOf) })),
  };
}

function keyOf(part: unknown): string {
  return String(typeof part === 'object' && part !== null && 'key' in part ? part.key : part);
}

async function findTool(module: string, name: string, hash: string): Promise<Tool | string> {
  const exported: Record<string, unknown> = await import(module);
  const found = Object.values(exported).filter((value) => isTool(value) && value.name === name) as Tool[];
  if (found.length === 0) {
    return `The tool ${name} is isolated, but ${module} exports no tool of this name. Export it, or name the module that does: isolate: { module: import.meta.url }.`;
  }
  return found.find((tool) => tool.hash === hash) ?? `${module} exports another version of the tool ${name}.`;
}

async function findProblem({
  module,
  tool,
  hash,
}: {
  module: string;
  tool: string;
  hash: string;
}): Promise<string | null> {
  try {
    const found = await findTool(module, tool, hash);
    return typeof found === 'string' ? found : null;
  } catch (error) {
    return `${module} cannot be imported in a thread, where the isolated tool ${tool} runs: ${thrown(error).message}`;
  }
}

function isTool(value: unknown): value is Tool {
  return (
    typeof value === 'object' && value !== null && 'code' in value && 'type' in value && value.type === 'code'
  );
}

async function runTool(
  { module, tool: name, hash, work, input, call }: RunInThread,
  run: Run,
): Promise<unknown> {
  const tool = await findTool(module, name, hash);
  if (typeof tool === 'string') throw new Error(tool);
  // What does not fit was accepted by an earlier version of the tool: the worker has decided that.
  const checked = (await tool.code.input['~standard'].validate(input)) as {
    value?: unknown;
    issues?: unknown;
  };
  const value = checked.issues === undefined ? checked.value : input;
  const log =
    (level: Level) =>
    (message: string, fields: Record<string, unknown> = {}) =>
      sayLine(level, format(message), () => plainFields(fields), run);
  const progress = new ProgressPace((shown: unknown) => say({ type: 'progress', shown }, run));
  const given = Object.freeze({
    ...call,
    signal: run.abort.signal,
    log: { debug: log('debug'), info: log('info'), warn: log('warn'), error: log('error') },
    progress: (shown: unknown) => {
      const isShown = typeof shown === 'string' || typeof shown === 'number';
      progress.show(isShown ? shown : null);
    },
    fetch: (url: string | URL | Request, init?: RequestInit) => ask(run, url, init),
    step: (
      stepName: unknown,
      settings: { effect?: unknown } | undefined,
      doStep: (context: unknown) => unknown,
    ) => {
      const within = { step: String(stepName), effect: String(settings?.effect) };
      const asked = request(
        run,
        {
          method: 'step',
          within: currentStep.getStore() ?? null,
          name: stepName,
          settings: { effect: settings?.effect },
        },
        (id) =>
          steps.set(id, (context) =>
            currentRun.run(run, () => currentStep.run(within, () => doStep(context))),
          ),
      );
      run.steps.add(asked);
      const ended = (): unknown => run.steps.delete(asked);
      asked.then(ended, ended);
      return asked;
    },
    suspend: (asked: { question?: unknown; name?: unknown; schema?: Schema } | undefined) => {
      const { question: text, name: questionName, schema } = asked ?? {};
      const form = schema?.['~standard']?.jsonSchema?.input({ target: 'draft-2020-12' });
      const within = currentStep.getStore() ?? null;
      return request(run, { method: 'suspend', within, question: text, name: questionName, form }, (id) => {
        if (schema !== undefined) schemas.set(id, schema);
      });
    },
  });
  return work === 'run' ? tool.code.run(value, given) : tool.code.reconcile?.(value, given);
}

/** Fields of a log line as they can be sent. */
function plainFields(fields: Record<string, unknown>): Record<string, unknown> {
  try {
    return plain(fields) as Record<string, unknown>;
  } catch {
    return { fields: inspect(fields, { depth: 4 }).slice(0, MOST_CHARACTERS) };
  }
}

const plain = (value: unknown): unknown =>
  value === undefined ? undefined : JSON.parse(JSON.stringify(value));

async function ask(
  run: Run,
  input: string | URL | Request,
  init: RequestInit | undefined,
): Promise<Response> {
  const asked = new Request(input, init);
  const within = currentStep.getStore() ?? null;
  const body = asked.body === null ? null : new Uint8Array(await asked.arrayBuffer());
  const { url, method: httpMethod } = asked;
  const headers = [...asked.headers];
  const response = (await request(run, { method: 'fetch', within, url, httpMethod, headers, body })) as {
    status: number;
    headers: [string, string][];
    body: Uint8Array<ArrayBuffer> | null;
  };
  return new Response(response.body, { status: response.status, headers: response.headers });
}

function request(
  run: Run,
  made: ThreadRequest,
  begin: (id: number) => void = () => undefined,
): Promise<unknown> {
  if (waiting.size >= MOST_REQUESTS) {
    return Promise.reject(
      new Error(`More than ${MOST_REQUESTS} steps and requests wait at once: await them.`),
    );
  }
  const id = ++requests;
  begin(id);
  return new Promise((resolve, reject) => {
    waiting.set(id, { resolve, reject });
    say({ type: 'request', id, request: made }, run);
  });
}

function take(id: number): Waiting | undefined {
  const found = waiting.get(id);
  waiting.delete(id);
  steps.delete(id);
  schemas.delete(id);
  return found;
}

async function outcomeOf(work: () => unknown): Promise<ThreadOutcome> {
  let value: unknown;
  try {
    value = await work();
  } catch (error) {
    return { type: 'threw', error: thrown(error) };
  }
  if (value === undefined) return { type: 'returned', json: null };
  try {
    const json = JSON.stringify(value) as string | undefined;
    return json === undefined ? { type: 'not_json' } : { type: 'returned', json };
  } catch {
    return { type: 'not_json' };
  }
}

/** Code may throw anything, also what throws when it is looked at. */
function thrown(error: unknown): ThrownInThread {
  try {
    if (!(error instanceof Error)) {
      const isText = ['string', 'number', 'boolean'].includes(typeof error);
      return { kind: null, message: isText ? format(error) : '', stack: '' };
    }
    const { kind, afterMs } = error as { kind?: unknown; afterMs?: unknown };
    const { message, stack = '' } = error as { message: unknown; stack?: unknown };
    return {
      kind: typeof kind === 'string' ? kind : null,
      message: typeof message === 'string' ? message : '',
      stack: typeof stack === 'string' ? stack : '',
      ...(typeof afterMs === 'number' ? { afterMs } : {}),
    };
  } catch {
    return { kind: null, message: '', stack: '' };
  }
}
