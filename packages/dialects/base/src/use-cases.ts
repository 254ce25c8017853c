import type {
  Agent,
  CreateAgent,
  CreateSession,
  McpServer,
  messageSchema,
  Metadata,
  PushConfig,
  PushCredentials,
  RerunPreview,
  RerunTurn,
  Session,
  StartTurn,
  stepSchema,
  SubmitToolOutputs,
  SubmitTurn,
  Turn,
  TurnFact,
  TurnStatus,
  UpdateAgent,
  UpdateSession,
  Usage,
} from '@turnpike/contract';
import type { z } from 'zod';

/**
 * A turn to submit: to a session, one that creates its session, or one in a copy of a session: after a turn, or one that
 * makes a turn again.
 */
export type AskedTurn =
  | { of: 'session'; sessionId: string; submission: SubmitTurn }
  | { of: 'new_session'; submission: StartTurn }
  | { of: 'fork'; after: { turnId: string }; submission: SubmitTurn }
  | { of: 'rerun'; turnId: string; submission: RerunTurn };

/** A turn that was accepted, now or by an earlier request with the same idempotency key. */
export interface Accepted {
  turn: Turn;
  /** How many steps it had when it was accepted. */
  stepCount: number;
}

export type SessionMessage = z.infer<typeof messageSchema>;

type Step = z.infer<typeof stepSchema>;

/** An idempotency key that a request has elsewhere than in its header. */
export interface Once {
  /** What the keys are told apart in: the same key in another scope is another. */
  scope: string;
  /** Of any form. */
  key: string;
  /** What the request asks for: with the same key and another meaning it is refused. */
  means: unknown;
}

/** Which turns of the tenant. */
export interface TurnsWanted {
  sessionId?: string;
  agentId?: string;
  statuses?: readonly TurnStatus[];
}

/** A stored event of a session, with the sequence of its turn. */
export interface SessionFact {
  turnSequence: number;
  fact: TurnFact;
}

/** What the turns of a session have done. */
export interface SessionActivity {
  /** Of the first turn that has not ended; null where all have. */
  status: TurnStatus | null;
  /** When a turn of it was submitted, began or ended last; null where it has none. */
  changedAt: string | null;
  usage: Usage;
  costMicros: number;
}

/** Which agents of the tenant. */
export interface AgentsWanted {
  /** Not before. */
  createdAfter?: Date | undefined;
  /** Before. */
  createdBefore?: Date | undefined;
  /** Without an entry of this key in their metadata. */
  withoutLabel?: string | undefined;
}

/** Which sessions of the tenant. */
export interface SessionsWanted extends AgentsWanted {
  agentId?: string | undefined;
  /** With all of these entries in their metadata. */
  metadata?: Metadata | undefined;
}

/**
 * What the API's own routes do, for the tenant and the key of one request. Each throws `ProblemError` as its route
 * does: `not_found` for what the tenant does not have.
 */
export interface UseCases {
  agents: {
    /** By its id or by its name; null where there is none. Throws `invalid_request` where several have the name. */
    find(idOrName: string): Promise<Agent | null>;
    /** At this version; null where it was deleted. */
    read(id: string, version?: number): Promise<Agent | null>;
    /** The newest first; `cursor` is the id of the last one seen. */
    list(wanted: AgentsWanted, page: { cursor: string | null; limit: number }): Promise<Agent[]>;
    /** The newest first, before a version. Throws `not_found`. */
    versions(id: string, page: { before: number | null; limit: number }): Promise<Agent[]>;
    /** Only in a route that is audited, which is one transaction. */
    create(agent: CreateAgent): Promise<Agent>;
    /** As `create`. */
    update(id: string, change: UpdateAgent): Promise<Agent>;
  };
  mcpServers: {
    /** Those that are registered with one of these names. */
    find(names: readonly string[]): Promise<McpServer[]>;
  };
  sessions: {
    /** In a route that `keepsKey`, with its idempotency key. */
    create(session: CreateSession): Promise<Session>;
    read(id: string): Promise<Session>;
    /** The newest first; `cursor` is the id of the last one seen. */
    list(wanted: SessionsWanted, page: { cursor: string | null; limit: number }): Promise<Session[]>;
    /** By their ids. */
    activity(ids: readonly string[]): Promise<ReadonlyMap<string, SessionActivity>>;
    update(id: string, change: UpdateSession): Promise<Session>;
    /** As `update`, by what the session is: nobody else changes it in between. What `changeOf` throws changes nothing. */
    change(id: string, changeOf: (session: Session) => UpdateSession): Promise<Session>;
    /** Erases it with all that belongs to it. */
    erase(id: string): Promise<void>;
    /** Stored events in order, turn after turn, up to the first turn that has not ended. */
    facts(
      id: string,
      page: { after: { turnSequence: number; sequenceNumber: number }; limit: number },
    ): Promise<SessionFact[]>;
    /** The turn that these end with, and how many events it has; null where the session has no turn. */
    place(id: string): Promise<{ turnId: string; turnSequence: number; eventCount: number } | null>;
  };
  turns: {
    /** The turn of an earlier request with this idempotency key; null where there was none, or it has no key. */
    replay(once?: Once): Promise<Accepted | null>;
    /**
     * Does `work`, which ends with `submit` or `answer`. Where it throws before, since a session is no longer what the
     * request was made for, a request that was executed already with this key gets its turn again.
     */
    accept(work: () => Promise<Accepted>, once?: Once): Promise<Accepted>;
    /** Accepts a turn, with the overrides that its agent allows. Only in a route that `keepsKey`. */
    submit(asked: AskedTurn, once?: Once): Promise<Accepted>;
    /** Sends outputs to a turn in `requires_action`. Only in a route that `keepsKey`. */
    answer(id: string, outputs: SubmitToolOutputs, once?: Once): Promise<Accepted>;
    read(id: string): Promise<Turn>;
    /** What may happen again where the whole turn is made again. Throws `turn_not_ended`. */
    previewRerun(id: string): Promise<RerunPreview>;
    /** As it is once it has ended or requires an action, or in its current state after the time. */
    settled(id: string, waitMs: number): Promise<Turn>;
    cancel(id: string): Promise<Turn>;
    /**
     * Cancels all turns of a session that have not ended, and returns their ids. Only in a route that `keepsKey`. Throws
     * what `check` throws, but for a request that was executed already with this key.
     */
    interrupt(sessionId: string, check?: () => void): Promise<string[]>;
    /** The newest first; `cursor` is the id of the last one seen. */
    list(wanted: TurnsWanted, page: { cursor?: string | null; limit: number }): Promise<Turn[]>;
    /** How many there are, or `most` where there are more. */
    count(wanted: TurnsWanted, most: number): Promise<number>;
    /** All steps, in order. */
    steps(id: string): Promise<Step[]>;
    /** Its messages in order, a thousand at most. */
    messages(id: string): Promise<SessionMessage[]>;
    /** Stored events in order, after a sequence number. */
    facts(id: string, page: { after: number; limit: number }): Promise<TurnFact[]>;
    /** Throws `cursor_expired` where the turn's first events are no longer kept: a stream cannot begin with them. */
    checkStreamable(id: string): Promise<void>;
  };
  /** Where clients want to hear of a turn, in the words of their protocol. */
  pushConfigs: {
    /** Throws `invalid_request`, at this path, for a URL that may not be reached. */
    check(url: string, path: string): void;
    /**
     * Adds one, or replaces the one with its id; without an id it gets one. Null where the turn has too many. Throws as
     * `check` does.
     */
    add(
      turnId: string,
      config: Omit<PushConfig, 'id'> & { id: string | null },
      more: PushCredentials & { path: string },
    ): Promise<PushConfig | null>;
    list(turnId: string): Promise<PushConfig[]>;
    /** Nothing more is sent to it. */
    remove(turnId: string, id: string): Promise<void>;
  };
}
