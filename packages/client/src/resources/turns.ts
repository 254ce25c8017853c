import type {
  resumeTurnSchema,
  startTurnSchema,
  stepSchema,
  submitToolOutputsSchema,
  submitTurnSchema,
  Turn,
  TurnEvent,
  TurnStatus,
} from '../wire/contract.ts';
import { path } from '../address.ts';
import { EventDeduplicator } from '../event-deduplicator.ts';
import { followEvents, type FollowOptions } from '../follow-events.ts';
import { Pages, type MetadataQuery, type PageQuery, type TimeQuery } from '../pages.ts';
import { TextSoFar } from '../text-so-far.ts';
import type { CallOptions, Transport, WriteOptions } from '../transport.ts';
import { waitForTurn, type WaitOptions } from '../wait-for-turn.ts';
import type { Input, Output } from '../wire/shapes.ts';

export type Step = Output<typeof stepSchema>;
/** With an agent's id, the turn makes its session; with a session's, it joins that. */
export type Submission =
  | (Input<typeof startTurnSchema> & { session_id?: never })
  | (Input<typeof submitTurnSchema> & { session_id: string; agent_id?: never });
export type ToolOutputs = Input<typeof submitToolOutputsSchema>['tool_outputs'];

export interface TurnQuery extends PageQuery, TimeQuery, MetadataQuery {
  session_id?: string | undefined;
  agent_id?: string | undefined;
  /** One, or any of several. */
  status?: TurnStatus | readonly TurnStatus[] | undefined;
}

export interface StreamOptions extends FollowOptions {
  /** The `sequence_number` of the last event that you have. Default: from the start. */
  after?: number | undefined;
}

/** One user input and all that answers it. */
export class Turns {
  readonly #transport: Transport;

  constructor(transport: Transport) {
    this.#transport = transport;
  }

  /** Once this resolves, the turn is stored and will end, whatever dies. However often it is tried, it is one turn. */
  submit(submission: Submission, options?: WriteOptions): Promise<Turn> {
    const { session_id: sessionId, ...body } = submission;
    const to = sessionId === undefined ? '/v1/turns' : path`/v1/sessions/${sessionId}/turns`;
    return this.#transport.call({ method: 'POST', path: to, body }, options);
  }

  get(id: string, options?: CallOptions): Promise<Turn> {
    return this.#transport.call({ method: 'GET', path: path`/v1/turns/${id}` }, options);
  }

  /** Waits until the turn has ended or needs something. Throws `TurnpikeTimeoutError`; the turn goes on then. */
  wait(id: string, options: WaitOptions = {}): Promise<Turn> {
    return waitForTurn(this.#transport, id, options);
  }

  /**
   * The events of the turn, each once and in order, also long after its end: over any number of connections.
   * It ends after the turn's last event; while the turn waits for tool outputs, it waits with it.
   */
  stream(id: string, { after, ...options }: StreamOptions = {}): AsyncGenerator<TurnEvent, void, undefined> {
    const sieve = new EventDeduplicator(after?.toString(), after);
    const source = { path: path`/v1/turns/${id}/events`, endsWithTurn: true };
    return followEvents(this.#transport, source, sieve, options);
  }

  /** The text to show, each time that it changes: of the step under way, in the end the answer. */
  async *text(id: string, options: FollowOptions = {}): AsyncGenerator<string, void, undefined> {
    const soFar = new TextSoFar();
    for await (const event of this.stream(id, options)) {
      const before = soFar.text;
      if (soFar.take(event) !== before) yield soFar.text;
    }
  }

  /** Resolves while the turn may still be `cancelling`; `wait` until it is not. A turn that ended stays as it is. */
  cancel(id: string, options?: WriteOptions): Promise<Turn> {
    return this.#transport.call({ method: 'POST', path: path`/v1/turns/${id}/cancel` }, options);
  }

  /** A new turn that goes on where one stopped at a limit, such as its budget. */
  resume(id: string, resumption: Input<typeof resumeTurnSchema> = {}, options?: WriteOptions): Promise<Turn> {
    const to = path`/v1/turns/${id}/resume`;
    return this.#transport.call({ method: 'POST', path: to, body: resumption }, options);
  }

  /**
   * Answers what a turn in `requires_action` waits for, by what each call's `awaiting` says: `output`; `approved`
   * for an approval; for an outcome `output`, `outcome: 'unknown'`, or `send_again: true`, which makes the call a
   * second time.
   */
  submitToolOutputs(id: string, toolOutputs: ToolOutputs, options?: WriteOptions): Promise<Turn> {
    const body = { tool_outputs: toolOutputs };
    return this.#transport.call({ method: 'POST', path: path`/v1/turns/${id}/tool_outputs`, body }, options);
  }

  /** The journal: model calls and rounds of tool calls that are committed. */
  steps(id: string, query: PageQuery = {}, options: CallOptions = {}): Pages<Step> {
    return new Pages(this.#transport, path`/v1/turns/${id}/steps`, { ...query }, options);
  }

  /** Newest first. */
  list(query: TurnQuery = {}, options: CallOptions = {}): Pages<Turn> {
    return new Pages(this.#transport, '/v1/turns', { ...query }, options);
  }
}
