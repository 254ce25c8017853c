import {
  acceptedResponse,
  idSchema,
  newId,
  ProblemError,
  sessionSchema,
  type Agent,
  type CreateSession,
  type Session,
  type Turn,
} from '@turnpike/contract';
import type { Accepted, Once, SessionMessage, UseCases } from '@turnpike/dialect-base';
import {
  addPushConfig,
  countTurns,
  findAgentsNamed,
  findMcpServersNamed,
  findSessionPlace,
  findTurnLog,
  inTransaction,
  listAgents,
  listAgentVersions,
  listMessages,
  listPushConfigs,
  listSessions,
  listSteps,
  listTurns,
  readAgent,
  readLockedSession,
  readSession,
  readSessionActivity,
  readSessionFacts,
  readTurn,
  readTurnFacts,
  removePushConfig,
  runOnce,
  sessionExists,
  type IdempotentRequest,
} from '@turnpike/store';
import { announceCancelled, interruptSession, previewRerun } from '@turnpike/turns';
import { answerTurn, checkOutputs } from '../answer-turn.ts';
import { cancelTurn } from '../cancel-turn.ts';
import { createAgent, noAgent, updateAgent } from '../change-agent.ts';
import { changeSession, createSession, eraseSession, noSession } from '../change-sessions.ts';
import { checkPublicUrl } from '../check-public-url.ts';
import { fingerprintOf } from '../idempotency-key.ts';
import { noTurn, readSettledTurn } from '../read-settled-turn.ts';
import type { AnyCall, KeyedRequest, RouteResult, Services } from '../route.ts';
import { beforeFirstEvent } from '../streams/event-cursor.ts';
import { findReplay } from '../find-replay.ts';
import { submitRequested } from '../submit-requested.ts';
import { z } from 'zod';

const STEPS_OF_A_PAGE = 100;
const MESSAGES_OF_A_PAGE = 100;
const MESSAGES_OF_A_TURN = 1_000;
/** What is recorded of an interrupt that has an idempotency key. */
const interruptedSchema = z.array(z.string());
const agentIdSchema = idSchema('agent');

/** What is read of a recorded response: an earlier version wrote it, with the fields that turns had then. */
const recordedSchema = z.object({ id: idSchema('turn'), step_count: z.int().nonnegative() });

/** Where a turn stands. */
type TurnPlace = Pick<Turn, 'session_id' | 'sequence'>;
const placeOf = ({ session_id, sequence }: Turn): TurnPlace => ({ session_id, sequence });

/**
 * The use cases for one request of a dialect, all of them bound to its tenant: a dialect names no other. What is to be
 * done after the commit, and whether the response is a replay, is in `outcome`.
 */
export class AskedUseCases {
  readonly useCases: UseCases;
  readonly #services: Services;
  readonly #call: AnyCall;
  readonly #keyed: KeyedRequest | null;
  readonly #afterCommit: (() => void)[] = [];
  #isReplay = false;
  #keyUsed = false;
  /** The turns and sessions of the tenant that this request has read: what is of them needs no look at the tenant again. */
  readonly #turnsRead = new Map<string, TurnPlace>();
  readonly #sessionsRead = new Set<string>();

  constructor(services: Services, call: AnyCall, keyed: KeyedRequest | null) {
    this.#services = services;
    this.#call = call;
    this.#keyed = keyed;
    this.useCases = {
      agents: this.#agents(),
      mcpServers: {
        find: (names) =>
          names.length === 0 ? Promise.resolve([]) : findMcpServersNamed(call.sql, call.tenantId, names),
      },
      sessions: this.#sessions(),
      turns: this.#turns(),
      pushConfigs: this.#pushConfigs(),
    };
  }

  outcome(): Pick<RouteResult, 'afterCommit' | 'isReplay'> {
    return {
      isReplay: this.#isReplay,
      afterCommit: () => {
        for (const act of this.#afterCommit) act();
      },
    };
  }

  #agents(): UseCases['agents'] {
    const call = this.#call;
    const { tenantId, sql } = call;
    const { database } = this.#services;
    // A version of an agent does not change.
    const known = new Map<string, Agent>();
    const read = async (id: string, version?: number): Promise<Agent | null> => {
      const agent = known.get(`${id} ${version}`) ?? (await readAgent(sql, tenantId, id, version));
      if (agent !== null) known.set(`${id} ${agent.version}`, agent);
      return agent;
    };
    return {
      async find(idOrName) {
        const byId = agentIdSchema.safeParse(idOrName).success ? await read(idOrName) : null;
        if (byId !== null) return byId;
        const [id, another] = await findAgentsNamed(sql, tenantId, idOrName);
        if (another !== undefined)
          throw new ProblemError(
            'invalid_request',
            `Several agents are named ${idOrName}: name one by its id.`,
          );
        return id === undefined ? null : read(id);
      },
      read,
      list: (wanted, page) => listAgents(database, tenantId, page, wanted),
      async versions(id, page) {
        const versions = await listAgentVersions(database, tenantId, id, page);
        if (versions.length === 0 && (await readAgent(sql, tenantId, id)) === null) throw noAgent(id);
        return versions;
      },
      create: (agent) => createAgent(call, agent),
      update: (id, change) => updateAgent(call, id, change),
    };
  }

  #sessions(): UseCases['sessions'] {
    const call = this.#call;
    const services = this.#services;
    const { tenantId, sql } = call;
    return {
      create: async (asked) => {
        if (this.#keyed !== null) return this.#createOnce(asked);
        const { session, afterCommit } = await createSession(services, call, asked);
        this.#afterCommit.push(afterCommit);
        return session;
      },
      list: (wanted, page) => listSessions(sql, tenantId, page, wanted),
      async activity(ids) {
        const found = await readSessionActivity(sql, tenantId, ids);
        return new Map(found.map(({ sessionId, ...activity }) => [sessionId, activity]));
      },
      read: async (id) => {
        const session = await readSession(services.database, tenantId, id);
        if (session === null) throw noSession(id);
        this.#sessionsRead.add(id);
        return session;
      },
      update: (id, change) => changeSession(call, id, change),
      change: (id, changeOf) =>
        inTransaction(sql, async (transaction) => {
          const session = await readLockedSession(transaction, tenantId, id);
          if (session === null) throw noSession(id);
          return changeSession({ ...call, sql: transaction }, id, changeOf(session));
        }),
      erase: async (id) => {
        const { afterCommit } = await eraseSession(services, call, id);
        this.#afterCommit.push(afterCommit);
      },
      facts: async (id, page) => {
        await this.#checkSession(id);
        const facts = await readSessionFacts(sql, id, page);
        return facts.map(({ fact, position: { turnSequence } }) => ({ fact, turnSequence }));
      },
      place: async (id) => {
        await this.#checkSession(id);
        return findSessionPlace(sql, tenantId, id);
      },
    };
  }

  #turns(): UseCases['turns'] {
    const call = this.#call;
    const services = this.#services;
    const { tenantId, sql } = call;
    const { database } = services;
    const read = (id: string): Promise<Turn> => this.#readTurn(id);
    const seen = (turn: Turn): Turn => {
      this.#turnsRead.set(turn.id, placeOf(turn));
      return turn;
    };
    const knownTurn = async (id: string): Promise<TurnPlace> =>
      this.#turnsRead.get(id) ?? placeOf(await read(id));
    const accepted = (turn: Turn): Accepted => ({ turn: seen(turn), stepCount: turn.step_count });
    return {
      replay: async (once) => {
        const idempotency = this.#idempotencyOf(this.#keyed, once);
        const found = idempotency && (await findReplay(database.pool, idempotency));
        return found === null ? null : this.#replayed(found.body);
      },
      accept: async (work, once) => {
        try {
          return await work();
        } catch (error) {
          const idempotency = this.#keyUsed ? null : this.#idempotencyOf(this.#keyed, once);
          if (idempotency === null || !(error instanceof ProblemError)) throw error;
          const found = await findReplay(database.pool, idempotency);
          if (found === null) throw error;
          return this.#replayed(found.body);
        }
      },
      submit: async (asked, once) => {
        const { turn, response } = await submitRequested(services, call, asked, this.#takeKey(once));
        return turn === null ? this.#replayed(response.body) : accepted(turn);
      },
      answer: async (id, outputs, once) => {
        const checked = await checkOutputs(services, tenantId, id, outputs);
        const { idempotency } = this.#takeKey(once);
        const ran = await runOnce(
          database.pool,
          idempotency,
          (transaction) => answerTurn(services, { ...call, sql: transaction }, id, outputs, checked),
          ({ turn }) => acceptedResponse(turn),
        );
        if ('replay' in ran) return this.#replayed(ran.replay.body);
        // It is committed: a handler that waits for the turn waits for what this begins.
        ran.done.afterCommit();
        return accepted(ran.done.turn);
      },
      read,
      previewRerun: (id) => previewRerun(sql, tenantId, id, 0),
      settled: async (id, waitMs) =>
        seen(await readSettledTurn(services, tenantId, id, waitMs, () => call.whenGone())),
      cancel: async (id) => {
        const { turn, afterCommit } = await cancelTurn(services, call, id);
        this.#afterCommit.push(afterCommit);
        return seen(turn);
      },
      interrupt: async (sessionId, check) => {
        const { idempotency } = this.#takeKey(undefined);
        const ran = await runOnce(
          database.pool,
          idempotency,
          async (transaction) => {
            check?.();
            if (!(await sessionExists(transaction, tenantId, sessionId))) throw noSession(sessionId);
            return interruptSession(transaction, tenantId, sessionId);
          },
          (cancelled) => ({
            status: 200,
            headers: {},
            body: JSON.stringify(cancelled.map(({ turnId }) => turnId)),
          }),
        );
        if ('replay' in ran) {
          this.#isReplay = true;
          return interruptedSchema.parse(JSON.parse(ran.replay.body));
        }
        const { done: cancelled } = ran;
        const ids = cancelled.map(({ turnId }) => turnId);
        const [id] = ids;
        if (id !== undefined) announceCancelled(services, tenantId, { id, session_id: sessionId }, cancelled);
        return ids;
      },
      list: async (wanted, page) =>
        (await listTurns(sql, tenantId, { cursor: null, ...page }, wanted)).map(seen),
      count: (wanted, most) => countTurns(sql, tenantId, wanted, most),
      async steps(id) {
        await knownTurn(id);
        const steps: Awaited<ReturnType<typeof listSteps>> = [];
        for (;;) {
          const after = steps.at(-1)?.index ?? -1;
          const page = await listSteps(database, id, { after, limit: STEPS_OF_A_PAGE });
          steps.push(...page);
          if (page.length < STEPS_OF_A_PAGE) return steps;
        }
      },
      async messages(id) {
        const { session_id: sessionId, sequence } = await knownTurn(id);
        const messages: SessionMessage[] = [];
        for (let after = { turnSequence: sequence, index: -1 }; ;) {
          const page = await listMessages(database, sessionId, {
            after,
            through: sequence,
            limit: MESSAGES_OF_A_PAGE,
          });
          messages.push(...page.map(({ message }) => message));
          const last = page.at(-1);
          if (last === undefined || page.length < MESSAGES_OF_A_PAGE) return messages;
          if (messages.length >= MESSAGES_OF_A_TURN) return messages;
          after = last.position;
        }
      },
      async facts(id, page) {
        await knownTurn(id);
        return (await readTurnFacts(sql, id, page)).map(({ fact }) => fact);
      },
      async checkStreamable(id) {
        const log = await findTurnLog(sql, tenantId, id);
        if (log === null) throw noTurn(id);
        beforeFirstEvent(log);
      },
    };
  }

  #pushConfigs(): UseCases['pushConfigs'] {
    const services = this.#services;
    const { secretBox } = services;
    const { tenantId, sql } = this.#call;
    return {
      check: (url, path) => checkPublicUrl(url, path, services),
      async add(turnId, { id, url, scheme }, { path, ...credentials }) {
        checkPublicUrl(url, path, services);
        const config = { id: id ?? newId('pushConfig'), url, scheme };
        const isAdded = await addPushConfig(sql, secretBox, { tenantId, turnId }, config, credentials);
        return isAdded ? config : null;
      },
      list: (turnId) => listPushConfigs(sql, tenantId, turnId),
      remove: (turnId, id) => removePushConfig(sql, tenantId, turnId, id),
    };
  }

  async #createOnce(asked: CreateSession): Promise<Session> {
    const { idempotency } = this.#takeKey(undefined);
    const ran = await runOnce(
      this.#services.database.pool,
      idempotency,
      (transaction) => createSession(this.#services, { ...this.#call, sql: transaction }, asked),
      ({ session }) => ({ status: 201, headers: {}, body: JSON.stringify(session) }),
    );
    if ('replay' in ran) {
      this.#isReplay = true;
      return sessionSchema.parse(JSON.parse(ran.replay.body));
    }
    ran.done.afterCommit();
    return ran.done.session;
  }

  #takeKey(once: Once | undefined): KeyedRequest {
    if (this.#keyed === null || this.#keyUsed)
      throw new Error('Only a route that `keepsKey` submits, answers or interrupts turns, and once.');
    this.#keyUsed = true;
    return { ...this.#keyed, idempotency: this.#idempotencyOf(this.#keyed, once) };
  }

  /** The key that a dialect has elsewhere takes precedence over the header's. */
  #idempotencyOf(keyed: KeyedRequest | null, once: Once | undefined): IdempotentRequest | null {
    if (once === undefined) return keyed?.idempotency ?? null;
    const { scope, key, means } = once;
    return {
      tenantId: this.#call.tenantId,
      route: scope,
      key: fingerprintOf(key).toString('base64url'),
      fingerprint: fingerprintOf(means),
    };
  }

  async #readTurn(id: string): Promise<Turn> {
    const turn = await readTurn(this.#call.sql, this.#call.tenantId, id);
    if (turn === null) throw noTurn(id);
    this.#turnsRead.set(id, placeOf(turn));
    return turn;
  }

  async #checkSession(id: string): Promise<void> {
    if (this.#sessionsRead.has(id)) return;
    if (!(await sessionExists(this.#call.sql, this.#call.tenantId, id))) throw noSession(id);
    this.#sessionsRead.add(id);
  }

  /** The turn as it is now: the record says which it is. */
  async #replayed(body: string): Promise<Accepted> {
    this.#isReplay = true;
    const { id, step_count: stepCount } = recordedSchema.parse(JSON.parse(body));
    return { turn: await this.#readTurn(id), stepCount };
  }
}
