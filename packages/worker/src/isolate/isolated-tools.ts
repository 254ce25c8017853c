import { describeFailure } from '@turnpike/tools';
import type { CodeToolCall, StepEffect } from '../tool-call.ts';
import type { CodeTool } from '../define-tool.ts';
import type { ToolSchema } from '../tool-schema.ts';
import { FailTurnError, RetryLaterError, ToolError, UnknownOutcomeError } from '../tool-error.ts';
import { inToolScope, toolScope } from '../code/tool-scope.ts';
import type { FromRun, ThreadOutcome, ThreadRequest, ThrownInThread } from './messages.ts';
import { ToolThreads, type ToolThread } from './threads.ts';

/** The thread of a call ended before its code did. */
export class ThreadEndedError extends Error {}

const FIND_MS = 30_000;

let runs = 0;

/** Runs isolated tools in threads. */
export class IsolatedTools {
  readonly #threads = new ToolThreads();

  /** Throws a `TypeError` where a thread does not find an isolated tool among what its module exports. */
  async check(tools: readonly CodeTool[]): Promise<void> {
    for (const tool of tools) {
      const { name, hash, isolate } = tool;
      if (isolate === null) continue;
      const thread = await this.#threads.take(isolate, AbortSignal.timeout(FIND_MS));
      const problem = await new Promise<string | null>((resolve) => {
        // On a busy machine it may take long: the first call finds out.
        const timer = setTimeout(() => resolve(null), FIND_MS);
        thread.listen(
          (message) => {
            clearTimeout(timer);
            if (message.type === 'found') resolve(message.problem);
          },
          (error) => resolve(`While its module was imported: ${whyEnded(tool, error)}`),
        );
        thread.send({ type: 'find', module: isolate.module, tool: name, hash });
      });
      await this.#threads.giveBack(thread, problem === null);
      if (problem !== null) throw new TypeError(problem);
    }
  }

  /**
   * Runs the tool's code on an input as the model gave it, until it returns or `endSignal` aborts, which ends the thread.
   * Throws what the code threw, and `ThreadEndedError`.
   */
  async run(
    tool: CodeTool,
    work: 'run' | 'reconcile',
    input: unknown,
    call: CodeToolCall,
    endSignal: AbortSignal,
  ): Promise<unknown> {
    const { isolate } = tool;
    if (isolate === null) throw new Error('The tool is not isolated.');
    const thread = await this.#threads.take(isolate, endSignal);
    let isDone = false;
    try {
      const outcome = await runIn(thread, { tool, work, input, call, endSignal });
      isDone = true;
      return readOutcome(outcome);
    } finally {
      await this.#threads.giveBack(thread, isDone);
    }
  }

  close(): Promise<void> {
    return this.#threads.close();
  }
}

interface Given {
  tool: CodeTool;
  work: 'run' | 'reconcile';
  input: unknown;
  call: CodeToolCall;
  endSignal: AbortSignal;
}

function runIn(thread: ToolThread, { tool, work, input, call, endSignal }: Given): Promise<ThreadOutcome> {
  const { signal, log, fetch: _fetch, progress: _progress, step: _step, suspend: _suspend, ...data } = call;
  const serving = new ThreadCalls(thread, call);
  const id = ++runs;
  return new Promise<ThreadOutcome>((resolve, reject) => {
    const abort = (): void => thread.send({ type: 'abort', reason: String(signal.reason) });
    const end = (): void => finish(() => reject(new ThreadEndedError('The call has ended.')));
    const listening = thread.listen(
      (message) => {
        // What code of an earlier run still says is of a call that has ended, maybe one of another tenant.
        if (message.type === 'found' || message.run !== id) return;
        if (message.type === 'done') finish(() => resolve(message.outcome));
        else serving.receive(message);
      },
      (error) => {
        log.warn('The thread of a tool ended.', error === null ? {} : describeFailure(error));
        finish(() => reject(new ThreadEndedError(whyEnded(tool, error))));
      },
    );
    const finish = (settle: () => void): void => {
      listening.stop();
      signal.removeEventListener('abort', abort);
      endSignal.removeEventListener('abort', end);
      settle();
    };
    signal.addEventListener('abort', abort);
    endSignal.addEventListener('abort', end);
    if (endSignal.aborted) end();
    else {
      const { hash, name } = tool;
      const module = tool.isolate?.module ?? '';
      thread.send({ type: 'run', run: { id, module, tool: name, hash, work, input, call: data } });
    }
  });
}

function whyEnded({ name, isolate }: CodeTool, error: unknown): string {
  const isMemory = error instanceof Error && 'code' in error && error.code === 'ERR_WORKER_OUT_OF_MEMORY';
  return isMemory
    ? `${name} used more than its ${isolate?.memoryMb} MiB of memory, and was ended.`
    : `${name} ended its own thread.`;
}

/** Serves what the code in a thread asks of its call. */
class ThreadCalls {
  readonly #thread: ToolThread;
  readonly #call: CodeToolCall;
  readonly #scope = toolScope();
  readonly #steps = new Map<number, (outcome: ThreadOutcome) => void>();
  readonly #checks = new Map<number, (result: unknown) => void>();

  constructor(thread: ToolThread, call: CodeToolCall) {
    this.#thread = thread;
    this.#call = call;
  }

  receive(message: Exclude<FromRun, { type: 'done' }>): void {
    switch (message.type) {
      case 'request': {
        const { id } = message;
        this.#doWithin(id, message.request).then(
          (value) => this.#thread.send({ type: 'result', id, value }),
          (error: unknown) => this.#thread.send({ type: 'failure', id, error: asThrown(error) }),
        );
        return;
      }
      case 'stepDone':
        this.#steps.get(message.id)?.(message.outcome);
        return;
      case 'checked':
        this.#checks.get(message.id)?.(message.result);
        return;
      case 'progress':
        this.#call.progress(message.shown as string);
        return;
      case 'log':
        this.#call.log[message.level](message.message, message.fields);
        return;
      default:
        message satisfies never;
    }
  }

  /** In the scope of the call, and of the step that the code is in. */
  async #doWithin(id: number, request: ThreadRequest): Promise<unknown> {
    const { within } = request;
    if (this.#scope === undefined) return this.#do(id, request);
    const inStep = within === null ? {} : { step: within.step, effect: within.effect as StepEffect };
    return inToolScope({ ...this.#scope, ...inStep }, () => this.#do(id, request));
  }

  #do(id: number, request: ThreadRequest): Promise<unknown> {
    switch (request.method) {
      case 'step':
        return this.#call.step(
          request.name as string,
          request.settings as never,
          async ({ idempotencyKey }) => {
            const done = new Promise<ThreadOutcome>((resolve) => this.#steps.set(id, resolve));
            this.#thread.send({ type: 'doStep', id, idempotencyKey });
            return readOutcome(await done);
          },
        );
      case 'suspend':
        return this.#call.suspend({
          question: request.question as string,
          ...(request.name === undefined ? {} : { name: request.name as string }),
          schema: this.#schemaOf(id, request.form),
        });
      case 'fetch':
        return this.#fetch(request);
      default:
        return request satisfies never;
    }
  }

  /** The schema of a question, which only the thread has. */
  #schemaOf(id: number, form: unknown): ToolSchema {
    const standard = {
      version: 1 as const,
      vendor: 'turnpike',
      validate: (value: unknown) =>
        new Promise<never>((resolve) => {
          this.#checks.set(id, (result) => resolve(result as never));
          this.#thread.send({ type: 'check', id, value });
        }),
      jsonSchema: { input: () => form, output: () => form },
    };
    return { '~standard': standard };
  }

  async #fetch({ url, httpMethod, headers, body }: Extract<ThreadRequest, { method: 'fetch' }>) {
    const init = { method: httpMethod, headers, ...(body === null ? {} : { body: new Uint8Array(body) }) };
    const response = await this.#call.fetch(url, init);
    const bytes = response.body === null ? null : new Uint8Array(await response.arrayBuffer());
    return { status: response.status, headers: [...response.headers], body: bytes };
  }
}

function readOutcome(outcome: ThreadOutcome): unknown {
  switch (outcome.type) {
    case 'returned':
      return outcome.json === null ? undefined : JSON.parse(outcome.json);
    case 'not_json':
      // A value that is no JSON, as the same code gives it outside of a thread.
      return () => undefined;
    case 'threw':
      throw asError(outcome.error);
    default:
      return outcome satisfies never;
  }
}

function asError({ kind, message, stack, afterMs = 0 }: ThrownInThread): Error {
  const error =
    kind === 'retry_later'
      ? new RetryLaterError(message, { afterMs })
      : kind === 'fail_turn'
        ? new FailTurnError(message)
        : kind === 'unknown_outcome'
          ? new UnknownOutcomeError(message)
          : kind === 'tool'
            ? new ToolError(message)
            : new Error(message);
  error.stack = stack;
  return error;
}

function asThrown(error: unknown): ThrownInThread {
  if (!(error instanceof Error)) return { kind: null, message: String(error), stack: '' };
  return {
    kind: error instanceof ToolError ? error.kind : null,
    message: error.message,
    stack: error.stack ?? '',
    ...(error instanceof RetryLaterError ? { afterMs: error.afterMs } : {}),
  };
}
