// Runs tools in a thread: started by `threads.ts`, with nothing but Node's own modules, since the tool's module brings the
// rest.
import { AsyncLocalStorage } from 'node:async_hooks';
import { format } from 'node:util';
import { parentPort, type MessagePort } from 'node:worker_threads';
import type {
  FromThread,
  RunInThread,
  ThreadOutcome,
  ThreadRequest,
  ThrownInThread,
  ToThread,
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
const send = (message: FromThread): void => port.postMessage(message);

const waiting = new Map<number, Waiting>();
const steps = new Map<number, (context: unknown) => unknown>();
const schemas = new Map<number, Schema>();
/** The effect of the step that the code is in. */
const stepEffect = new AsyncLocalStorage<string>();
let requests = 0;
let abort = new AbortController();

port.on('message', (message: ToThread) => void receive(message));

// What it writes may hold secrets: it goes through the log of its call.
const LEVELS = { debug: 'debug', log: 'info', info: 'info', warn: 'warn', error: 'error' } as const;
for (const [method, level] of Object.entries(LEVELS) as [keyof typeof LEVELS, 'info'][]) {
  // eslint-disable-next-line no-console
  console[method] = (...values: unknown[]) =>
    send({ type: 'log', level, message: format(...values), fields: {} });
}

async function receive(message: ToThread): Promise<void> {
  switch (message.type) {
    case 'find':
      send({ type: 'found', problem: await findProblem(message) });
      return;
    case 'run':
      abort = new AbortController();
      send({ type: 'done', outcome: await outcomeOf(() => run(message.run)) });
      return;
    case 'abort':
      abort.abort(new Error(message.reason));
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
      const context = { idempotencyKey: message.idempotencyKey, signal: abort.signal };
      const work = steps.get(message.id);
      send({ type: 'stepDone', id: message.id, outcome: await outcomeOf(() => work?.(context)) });
      return;
    }
    case 'check':
      send({ type: 'checked', id: message.id, result: await check(schemas.get(message.id), message.value) });
      return;
    default:
      message satisfies never;
  }
}

async function check(schema: Schema | undefined, value: unknown): Promise<unknown> {
  const result = await schema?.['~standard'].validate(value);
  return JSON.parse(JSON.stringify(result ?? { issues: [{ message: 'is unknown' }] }));
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

async function run({ module, tool: name, hash, work, effect, input, call }: RunInThread): Promise<unknown> {
  const tool = await findTool(module, name, hash);
  if (typeof tool === 'string') throw new Error(tool);
  const checked = (await tool.code.input['~standard'].validate(input)) as { value: unknown };
  const log =
    (level: 'debug' | 'info' | 'warn' | 'error') =>
    (message: string, fields: Record<string, unknown> = {}) =>
      send({ type: 'log', level, message, fields: JSON.parse(JSON.stringify(fields)) });
  const given = Object.freeze({
    ...call,
    signal: abort.signal,
    log: { debug: log('debug'), info: log('info'), warn: log('warn'), error: log('error') },
    progress: (shown: unknown) =>
      send({
        type: 'progress',
        shown: typeof shown === 'string' || typeof shown === 'number' ? shown : null,
      }),
    fetch: (url: string | URL | Request, init?: RequestInit) => ask(url, init, effect),
    step: (
      stepName: unknown,
      settings: { effect?: unknown } | undefined,
      doStep: (context: unknown) => unknown,
    ) => {
      const asked = request(
        { method: 'step', name: stepName, settings: { effect: settings?.effect } },
        (id) => steps.set(id, (context) => stepEffect.run(String(settings?.effect), () => doStep(context))),
      );
      asked.catch(() => undefined);
      return asked;
    },
    suspend: (question: { question?: unknown; name?: unknown; schema?: Schema }) => {
      const form = question.schema?.['~standard'].jsonSchema?.input({ target: 'draft-2020-12' });
      const { question: text, name: questionName, schema } = question;
      return request({ method: 'suspend', question: text, name: questionName, form }, (id) => {
        if (schema !== undefined) schemas.set(id, schema);
      });
    },
  });
  return work === 'run' ? tool.code.run(checked.value, given) : tool.code.reconcile?.(checked.value, given);
}

async function ask(
  input: string | URL | Request,
  init: RequestInit | undefined,
  effect: string,
): Promise<Response> {
  const asked = new Request(input, init);
  const body = asked.body === null ? null : new Uint8Array(await asked.arrayBuffer());
  const { url, method: httpMethod } = asked;
  const headers = [...asked.headers];
  const response = (await request({
    method: 'fetch',
    effect: stepEffect.getStore() ?? effect,
    url,
    httpMethod,
    headers,
    body,
  })) as { status: number; headers: [string, string][]; body: Uint8Array<ArrayBuffer> | null };
  return new Response(response.body, { status: response.status, headers: response.headers });
}

function request(made: ThreadRequest, begin: (id: number) => void = () => undefined): Promise<unknown> {
  const id = ++requests;
  begin(id);
  return new Promise((resolve, reject) => {
    waiting.set(id, { resolve, reject });
    send({ type: 'request', id, request: made });
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

function thrown(error: unknown): ThrownInThread {
  if (!(error instanceof Error)) return { kind: null, message: String(error), stack: '' };
  const { kind, afterMs } = error as { kind?: unknown; afterMs?: unknown };
  return {
    kind: typeof kind === 'string' ? kind : null,
    message: error.message,
    stack: error.stack ?? '',
    ...(typeof afterMs === 'number' ? { afterMs } : {}),
  };
}
