import type {
  rerunPreviewSchema,
  rerunTurnSchema,
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

export type RerunPreview = Output<typeof rerunPreviewSchema>;
export type Step = Output<typeof stepSchema>;
/** With `agent_id`, the turn creates a session; with `session_id`, it joins that session. */
export type Submission =
  | (Input<typeof startTurnSchema> & { session_id?: never })
  | (Input<typeof submitTurnSchema> & { session_id: string; agent_id?: never });
export type ToolOutputs = Input<typeof submitToolOutputsSchema>['tool_outputs'];

export interface TurnQuery extends PageQuery, TimeQuery, MetadataQuery {
  session_id?: string | undefined;
  /** Only child turns of this turn. */
  parent_turn_id?: string | undefined;
  agent_id?: string | undefined;
  /** One status, or several. */
  status?: TurnStatus | readonly TurnStatus[] | undefined;
}

export interface StreamOptions extends FollowOptions {
  /** The `sequence_number` of the last event that you have. Default: from the start. */
  after?: number | undefined;
}

/** Turns: one user input and everything that is done to respond to it. */
export class Turns {
  readonly #transport: Transport;

  constructor(transport: Transport) {
    this.#transport = transport;
  }

  /** When this resolves, the turn is stored and will end, whatever crashes. Retries never create a second turn. */
  submit(submission: Submission, options?: WriteOptions): Promise<Turn> {
    const { session_id: sessionId, ...body } = submission;
    const to = sessionId === undefined ? '/v1/turns' : path`/v1/sessions/${sessionId}/turns`;
    return this.#transport.call({ method: 'POST', path: to, body }, options);
  }

  get(id: string, options?: CallOptions): Promise<Turn> {
    return this.#transport.call({ method: 'GET', path: path`/v1/turns/${id}` }, options);
  }

  /** Waits until the turn has ended or requires action. Throws `TurnpikeTimeoutError`; the turn continues then. */
  wait(id: string, options: WaitOptions = {}): Promise<Turn> {
    return waitForTurn(this.#transport, id, options);
  }

  /**
   * The events of the turn, each once and in order, over any number of connections, also long after the turn's end.
   * It ends after the turn's last event, and stays open while the turn waits for tool outputs.
   */
  stream(id: string, { after, ...options }: StreamOptions = {}): AsyncGenerator<TurnEvent, void, undefined> {
    const deduplicator = new EventDeduplicator(after?.toString(), after);
    const source = { path: path`/v1/turns/${id}/events`, endsWithTurn: true };
    return followEvents(this.#transport, source, deduplicator, options);
  }

  /** The text to show, whenever it changes: that of the current step, and finally the turn's output. */
  async *text(id: string, options: FollowOptions = {}): AsyncGenerator<string, void, undefined> {
    const soFar = new TextSoFar();
    for await (const event of this.stream(id, options)) {
      const before = soFar.text;
      if (soFar.take(event) !== before) yield soFar.text;
    }
  }

  /** Requests cancellation. The turn may still be `cancelling` then: use `wait`. A turn that has ended does not change. */
  cancel(id: string, options?: WriteOptions): Promise<Turn> {
    return this.#transport.call({ method: 'POST', path: path`/v1/turns/${id}/cancel` }, options);
  }

  /** Creates a turn that continues one that stopped at a limit, such as its budget. */
  resume(id: string, resumption: Input<typeof resumeTurnSchema> = {}, options?: WriteOptions): Promise<Turn> {
    const to = path`/v1/turns/${id}/resume`;
    return this.#transport.call({ method: 'POST', path: to, body: resumption }, options);
  }

  /** The tool calls that a rerun of the turn may repeat, and the `confirmation` that it needs for that. */
  previewRerun(
    id: string,
    query: { from_step?: number | undefined } = {},
    options?: CallOptions,
  ): Promise<RerunPreview> {
    return this.#transport.call({ method: 'GET', path: path`/v1/turns/${id}/rerun`, query }, options);
  }

  /** Creates a turn that makes this one again, from a step on, in a fork of its session. */
  rerun(id: string, rerun: Input<typeof rerunTurnSchema> = {}, options?: WriteOptions): Promise<Turn> {
    return this.#transport.call({ method: 'POST', path: path`/v1/turns/${id}/rerun`, body: rerun }, options);
  }

  /**
   * Resolves the tool calls of a turn in `requires_action`, according to each call's `awaiting`: `output` for an
   * output; `approved` for an approval; for an outcome `output`, `outcome: 'unknown'`, or `send_again: true`, which
   * sends the call again.
   */
  submitToolOutputs(id: string, toolOutputs: ToolOutputs, options?: WriteOptions): Promise<Turn> {
    const body = { tool_outputs: toolOutputs };
    return this.#transport.call({ method: 'POST', path: path`/v1/turns/${id}/tool_outputs`, body }, options);
  }

  /** The journal: committed model calls and rounds of tool calls. */
  steps(id: string, query: PageQuery = {}, options: CallOptions = {}): Pages<Step> {
    return new Pages(this.#transport, path`/v1/turns/${id}/steps`, { ...query }, options);
  }

  /** Newest first. */
  list(query: TurnQuery = {}, options: CallOptions = {}): Pages<Turn> {
    return new Pages(this.#transport, '/v1/turns', { ...query }, options);
  }
}
