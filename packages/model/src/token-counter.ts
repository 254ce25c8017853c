import { createHash } from 'node:crypto';
import type Anthropic from '@anthropic-ai/sdk';
import { ModelError, type TokenCount } from '@turnpike/contract';
import { readAll } from '@turnpike/egress';
import { LRUCache } from 'lru-cache';
import { z } from 'zod';
import { buildRequest, serializeBody, type BuiltRequest, type MessagesBody } from './build-request.ts';
import type { CallParts } from './call-state.ts';
import { classifyError, type Failure } from './classify-error.ts';
import { bytesInMemory, postBody } from './post-body.ts';
import { KeyRing, KeysUnavailableError, type ModelKey } from './key-ring.ts';
import { streamMalformed } from './stream-broken.ts';

/** The fields of a request that `count_tokens` takes. */
const COUNTED = [
  'model',
  'messages',
  'system',
  'tools',
  'tool_choice',
  'thinking',
  'output_config',
  'speed',
] as const satisfies readonly (keyof Anthropic.MessageCountTokensParams)[];

type CountedBody = Pick<MessagesBody, (typeof COUNTED)[number]>;

/** Counts that are kept, each under the hash of what was counted. */
const MAX_COUNTS = 1_000;
/** Keys that are not asked for a while. */
const MAX_PAUSES = 10_000;
/** Statuses of an API without this route, or without this model. */
const MISSING = new Set<number | undefined>([404, 405, 501]);
const MISSING_MS = 600_000;
const FAILED_MS = 60_000;
/** Statuses of an API that refuses what is in the body: another one may well be counted. */
const REFUSED = new Set<number | undefined>([400, 413, 415, 422]);

const MOST_BYTES = 64 * 1024;
const responseSchema = z.looseObject({ input_tokens: z.int().min(0) });

/**
 * Counts tokens by `POST /v1/messages/count_tokens`, with the keys and the address of a call. It costs nothing and has
 * rate limits of its own, so it takes nothing from a budget, and how it ends says nothing about calls: it starts no
 * cooldown and opens no circuit breaker, but is not made during one.
 */
export class TokenCounter {
  readonly #parts: CallParts;
  /** Null for what the API refused to count. */
  readonly #counts = new LRUCache<string, { tokens: number | null }>({ max: MAX_COUNTS });
  /**
   * By the id of a key: tenant, model, origin and key. Not by the origin alone, where the 404 for a model that one
   * tenant invented would count for all.
   */
  readonly #pauses = new LRUCache<string, true>({ max: MAX_PAUSES, ttl: MISSING_MS });

  constructor(parts: CallParts) {
    this.#parts = parts;
  }

  /** As `GuardedModel.countTokens`. */
  async count(asked: TokenCount): Promise<number | null> {
    const { turn } = asked;
    turn.signal.throwIfAborted();
    const signal = AbortSignal.any([turn.signal, AbortSignal.timeout(this.#parts.limits.countTimeoutMs)]);
    const key = await this.#usableKey(asked, signal);
    if (key === null || !key.api.countsTokens || this.#pauses.has(key.id)) return null;
    const built = buildRequest(asked.request);
    const { body: whole, headers } = key.api.prepare(built, key);
    const body = countedBody(whole);
    const hash = hashOf(key, built, body);
    const known = this.#counts.get(hash);
    if (known !== undefined) return known.tokens;
    const giveBackRoom = await this.#holdRoom(key, asked, body, signal);
    if (giveBackRoom === null) return null;
    try {
      const tokens = await this.#ask(key, asked, { body, headers }, signal);
      this.#counts.set(hash, { tokens });
      return tokens;
    } catch (error) {
      turn.signal.throwIfAborted();
      const failure = signal.aborted ? TOOK_TOO_LONG : classifyError(error);
      if (failure === undefined) throw error;
      if (REFUSED.has(failure.status)) this.#counts.set(hash, { tokens: null });
      else this.#pauses.set(key.id, true, { ttl: pauseMs(failure) });
      this.#report(asked, key, failure);
      return null;
    } finally {
      giveBackRoom();
    }
  }

  /** Null where there is no room in time, which is no fault of the key. */
  async #holdRoom(
    key: ModelKey,
    { turn }: TokenCount,
    body: CountedBody,
    signal: AbortSignal,
  ): Promise<(() => void) | null> {
    try {
      return await this.#parts.requests.hold(turn.tenantId, bytesInMemory(key, body), signal);
    } catch (error) {
      turn.signal.throwIfAborted();
      if (signal.aborted) return null;
      throw error;
    }
  }

  /** Null where no key may work now, and where there is none: the call that follows says so. */
  async #usableKey(asked: TokenCount, signal: AbortSignal): Promise<ModelKey | null> {
    try {
      const { key, waitMs } = await new KeyRing(this.#parts, asked).choose(signal);
      return waitMs === 0 ? key : null;
    } catch (error) {
      asked.turn.signal.throwIfAborted();
      if (signal.aborted || error instanceof ModelError || error instanceof KeysUnavailableError) return null;
      throw error;
    }
  }

  async #ask(
    key: ModelKey,
    { turn }: TokenCount,
    sent: { body: CountedBody; headers: Record<string, string | null> },
    signal: AbortSignal,
  ): Promise<number> {
    const { files } = this.#parts;
    const { tenantId } = turn;
    const beforeSend = (): void => turn.assertHeld();
    return readTokens(
      await postBody(key, '/v1/messages/count_tokens', sent, { tenantId, files, signal, beforeSend }),
    );
  }

  /** A count is a convenience: its failures are reported once in a while, and without the API's words. */
  #report({ turn, request }: TokenCount, key: ModelKey, { code, status }: Failure): void {
    const { tenantId, turnId, sessionId, epoch } = turn;
    const { model } = request.agent;
    this.#parts.report('Tokens were not counted; the estimate is used.')(`${model} ${code}`, {
      tenant_id: tenantId,
      turn_id: turnId,
      session_id: sessionId,
      epoch,
      model,
      model_key: key.name,
      code,
      status,
    });
  }
}

const TOOK_TOO_LONG: Failure = {
  code: 'model_timeout',
  terminal: false,
  retryAfterMs: undefined,
  message: 'Counting the tokens took too long.',
  providerRequestId: null,
  status: undefined,
};

function pauseMs({ status, retryAfterMs }: Failure): number {
  return MISSING.has(status) ? MISSING_MS : Math.max(FAILED_MS, retryAfterMs ?? 0);
}

function countedBody(body: MessagesBody): CountedBody {
  const fields = COUNTED.filter((field) => body[field] !== undefined).map((field) => [field, body[field]]);
  return Object.fromEntries(fields) as CountedBody;
}

/** A file is named by its id, and its content never changes. */
function hashOf(key: ModelKey, { apiVersion, betas }: BuiltRequest, body: CountedBody): string {
  const hash = createHash('sha256').update(JSON.stringify([key.id, apiVersion, betas]));
  return hash.update(serializeBody(body)).digest('base64url');
}

async function readTokens(response: Response): Promise<number> {
  const body = await readAll(response, MOST_BYTES);
  if (body === null) throw streamMalformed('the count is too long');
  const parsed = responseSchema.safeParse(JSON.parse(body.toString()));
  if (!parsed.success) throw streamMalformed('there is no count in it');
  return parsed.data.input_tokens;
}
