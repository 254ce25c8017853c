import {
  OutcomeUnknownError,
  stepEffectSchema,
  type ToolCallContext,
  type ToolStep,
} from '@turnpike/contract';
import { describeFailure, hideSecrets } from '@turnpike/tools';
import type { Tracing } from '@turnpike/telemetry';
import { z } from 'zod';
import type { CodeTool } from '../define-tool.ts';
import type { StepContext, StepEffect } from '../tool-call.ts';
import { FailTurnError, RetryLaterError, ToolError, UnknownOutcomeError } from '../tool-error.ts';
import { EndOfRun, type CodeRun } from './code-run.ts';
import { holdsSecret } from './hide-in-output.ts';
import { readableError } from './readable-error.ts';
import { inToolScope, toolScope } from './tool-scope.ts';

const MOST_STEPS = 1_000;
const MOST_CHARACTERS = 200;
const MOST_MESSAGE_CHARACTERS = 2_000;
/** Of one result, as JSON. */
const MOST_RESULT_BYTES = 65_536;
/** Of all results of a call: every run reads them. */
const MOST_BYTES = 4_194_304;
const settingsSchema = z.object({ effect: stepEffectSchema });

type Work = (step: StepContext) => unknown;

/**
 * The durable steps of one run of a call.
 *
 * Invariant: `once` is committed as started before its work begins, and its outcome when it ends; work that was started
 * under an earlier lease and has no outcome is never begun again.
 */
export class DurableSteps {
  readonly #tool: CodeTool;
  readonly #context: ToolCallContext;
  readonly #run: CodeRun;
  readonly #tracing: Tracing;
  readonly #secrets: readonly string[];
  readonly #names = new Set<string>();

  constructor(parts: {
    tool: CodeTool;
    context: ToolCallContext;
    run: CodeRun;
    tracing: Tracing;
    secrets: readonly string[];
  }) {
    this.#tool = parts.tool;
    this.#context = parts.context;
    this.#run = parts.run;
    this.#tracing = parts.tracing;
    this.#secrets = parts.secrets;
  }

  /** `CodeToolCall.step`. Never settles where the run ends in it. */
  step(name: unknown, settings: unknown, work: Work): Promise<unknown> {
    const result = this.#step(name, settings, work);
    // A tool that does not await its step gets no unhandled rejection for it: the run waits for the step.
    result.catch(() => undefined);
    return result;
  }

  async #step(given: unknown, settings: unknown, work: Work): Promise<unknown> {
    const { name, effect } = this.#check(given, settings, work);
    const known = this.#context.steps().find((step) => step.kind === 'step' && step.name === name);
    if (known?.status === 'completed') return parseResult(known.result);
    if (known?.status === 'failed') throw new ToolError(String(parseResult(known.result)));
    // Whatever it has become since: it was started as one that acts once.
    if (known?.status === 'started' && known.effect === 'once') {
      const message = `It is not known whether the step "${name}" of ${this.#tool.name} took effect.`;
      return this.#run.end(new OutcomeUnknownError('tool_step_unknown', message));
    }
    return this.#run.during(() => this.#do(name, effect, work));
  }

  /** Throws a `TypeError` for what the types do not allow, and for a name that was used in this run. */
  #check(name: unknown, settings: unknown, work: Work): { name: string; effect: StepEffect } {
    if (typeof name !== 'string' || name === '' || name.length > MOST_CHARACTERS || name.includes('\0')) {
      throw new TypeError(`${this.#tool.name}: a step needs a name of 1 to ${MOST_CHARACTERS} characters.`);
    }
    if (holdsSecret(name, this.#secrets)) {
      throw new TypeError(`${this.#tool.name}: the name of a step holds a secret.`);
    }
    const title = `${this.#tool.name}: the step "${name}"`;
    const outer = toolScope()?.step;
    if (outer !== undefined) {
      throw new TypeError(`${title} is begun inside of the step "${outer}": begin it before or after it.`);
    }
    const parsed = settingsSchema.safeParse(settings);
    if (!parsed.success) throw new TypeError(`${title} needs an effect: read, idempotent or once.`);
    const { effect } = parsed.data;
    if (typeof work !== 'function') throw new TypeError(`${title} has no function.`);
    if (this.#tool.effect === 'read' && effect !== 'read') {
      throw new TypeError(`${title} acts, but the tool declares the effect read.`);
    }
    if (this.#names.has(name))
      throw new TypeError(`${title} is there twice: give each step a name of its own.`);
    if (this.#names.size >= MOST_STEPS)
      throw new TypeError(`${title} is one too many: at most ${MOST_STEPS}.`);
    this.#names.add(name);
    return { name, effect };
  }

  async #do(name: string, effect: StepEffect, work: Work): Promise<unknown> {
    const commit = (change: Pick<ToolStep, 'status' | 'result'>): Promise<void> =>
      this.#context.commitStep({ kind: 'step', name, effect, ...change });
    const isOnce = effect === 'once';
    if (isOnce) await commit({ status: 'started', result: null });
    const span = this.#tracing.start(`tool_step ${name}`, {
      kind: 'internal',
      parent: this.#context.traceparent,
      attributes: { 'turnpike.tool.step.name': name, 'turnpike.tool.step.effect': effect },
    });
    let json: string | null;
    try {
      this.#run.assertOpen();
      this.#context.assertHeld();
      const { scope, endSignal: signal } = this.#run;
      const idempotencyKey = `${scope.toolCallId}:${name}`;
      const result = await inToolScope({ ...scope, effect, step: name }, () =>
        work({ idempotencyKey, signal }),
      );
      json = this.#asJson(name, result);
    } catch (thrown) {
      span.end('step_failed');
      return this.#fail(readableError(thrown), isOnce, commit);
    }
    span.end();
    await commit({ status: 'completed', result: json });
    return parseResult(json);
  }

  /** Records how a step ended that threw, so that a later run of the call comes to the same end. */
  async #fail(
    error: Error,
    isOnce: boolean,
    commit: (change: Pick<ToolStep, 'status' | 'result'>) => Promise<void>,
  ): Promise<never> {
    if (!isOnce) throw error;
    // The run has ended: what the step did meanwhile is not known.
    this.#run.assertOpen();
    if (error instanceof UnknownOutcomeError) {
      this.#context.logger.warn('A step does not know whether it took effect.', describeFailure(error));
      throw new EndOfRun(new OutcomeUnknownError('tool_step_unknown', 'A step got no outcome.'));
    }
    if (error instanceof RetryLaterError) await commit({ status: 'undone', result: null });
    else if (!(error instanceof FailTurnError)) {
      const beginning = error.message.slice(0, MOST_MESSAGE_CHARACTERS);
      const isCut = beginning !== error.message;
      const message = hideSecrets(beginning, this.#secrets, isCut);
      await commit({ status: 'failed', result: JSON.stringify(message) });
    }
    throw error;
  }

  /** Null for `undefined`. Throws a `TypeError` for what cannot be kept. */
  #asJson(name: string, result: unknown): string | null {
    const refuse = (why: string): never => {
      throw new TypeError(`The result of the step "${name}" cannot be kept: ${why}.`);
    };
    if (result === undefined) return null;
    let json: string | undefined;
    try {
      json = JSON.stringify(result);
    } catch {
      refuse('it is no JSON value');
    }
    if (json === undefined) return refuse('it is no JSON value');
    if (Buffer.byteLength(json) > MOST_RESULT_BYTES)
      refuse(`it has more than ${MOST_RESULT_BYTES} bytes as JSON`);
    const kept = this.#context.steps().reduce((sum, step) => sum + (step.result?.length ?? 0), 0);
    if (kept + json.length > MOST_BYTES)
      refuse(`the call's results have more than ${MOST_BYTES} bytes together`);
    if (holdsSecret(json, this.#secrets)) refuse('it holds a secret');
    return json;
  }
}

/** As JSON gives it back: also in the run that made it, so that the first run shows what later ones get. */
function parseResult(json: string | null): unknown {
  return json === null ? undefined : JSON.parse(json);
}
