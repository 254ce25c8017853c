import type { RequiredAction, Turn, TurnFact } from '@turnpike/contract';
import type { StreamEncoder, TextPreview } from '@turnpike/dialect-base';
import { parsedArtifact, questionOf, statusOf, textArtifact, textOfStep } from './task.ts';
import type { Artifact, StreamResponse, Task, TaskState, TaskStatus } from './wire.ts';

/** What of a text was sent: to continue it, a chunk is appended; after another attempt it is replaced. */
interface Shown {
  attempt: number;
  text: string;
}

/**
 * A task's updates: first the task as it is, then what changes. The task says what happened up to an event, and every
 * update comes from a later one: so a client that subscribes again gets what it misses, and nothing twice.
 *
 * Text is sent while the model writes it, as chunks to append. Where a model call begins again, its first chunk
 * replaces what was sent of it; what is committed in the end replaces what was not its beginning.
 */
export class TaskStream implements StreamEncoder {
  readonly #task: Task;
  /** The number of the last event that is in the task. */
  readonly #after: number;
  readonly #frame: (response: StreamResponse) => string;
  readonly #shown = new Map<number, Shown>();
  #state: TaskState;
  #ended: boolean;

  constructor(parts: {
    task: Task;
    isFinal: boolean;
    after: number;
    frame: (response: StreamResponse) => string;
  }) {
    this.#task = parts.task;
    this.#after = parts.after;
    this.#frame = parts.frame;
    this.#state = parts.task.status.state;
    this.#ended = parts.isFinal;
  }

  get ended(): boolean {
    return this.#ended;
  }

  begin(): string {
    return this.#frame({ task: this.#task });
  }

  fact(fact: TurnFact): string {
    if (fact.sequence_number <= this.#after) return '';
    if (fact.type === 'turn.queued')
      return this.#status({ state: 'TASK_STATE_SUBMITTED', timestamp: fact.created_at });
    if (fact.type === 'turn.started')
      return this.#status({ state: 'TASK_STATE_WORKING', timestamp: fact.created_at });
    if (fact.type === 'step.completed') return this.#commit(fact.step.index, textOfStep(fact.step));
    if (fact.type === 'turn.requires_action') return this.#ask(fact.created_at, fact.required_action);
    return 'turn' in fact ? this.#end(fact.turn) : '';
  }

  preview({ stepIndex, attempt, text }: TextPreview): string {
    const shown = this.#shown.get(stepIndex);
    const isSame = shown?.attempt === attempt;
    const known = isSame ? shown.text : '';
    if (this.#ended || text.length <= known.length) return '';
    this.#shown.set(stepIndex, { attempt, text });
    return this.#artifact(textArtifact(stepIndex, text.slice(known.length)), {
      append: isSame,
      lastChunk: false,
    });
  }

  /** The text as it was committed, less what is there. */
  #commit(stepIndex: number, text: string | null): string {
    const shown = this.#shown.get(stepIndex)?.text ?? '';
    this.#shown.delete(stepIndex);
    if (text === null && shown === '') return '';
    const whole = text ?? '';
    const append = shown !== '' && whole.startsWith(shown);
    const chunk = append ? whole.slice(shown.length) : whole;
    return this.#artifact(textArtifact(stepIndex, chunk), { append, lastChunk: true });
  }

  #ask(timestamp: string, action: RequiredAction): string {
    this.#ended = true;
    const message = questionOf({ id: this.#task.id, session_id: this.#task.contextId }, action);
    return this.#status({ state: 'TASK_STATE_INPUT_REQUIRED', timestamp, message });
  }

  #end(turn: Turn): string {
    this.#ended = true;
    const value = parsedArtifact(turn);
    const last = value === null ? '' : this.#artifact(value, { append: false, lastChunk: true });
    return last + this.#status(statusOf(turn));
  }

  #status(status: TaskStatus): string {
    if (status.state === this.#state && status.message === undefined) return '';
    this.#state = status.state;
    const { id: taskId, contextId } = this.#task;
    return this.#frame({ statusUpdate: { taskId, contextId, status } });
  }

  #artifact(artifact: Artifact, { append, lastChunk }: { append: boolean; lastChunk: boolean }): string {
    const { id: taskId, contextId } = this.#task;
    return this.#frame({ artifactUpdate: { taskId, contextId, artifact, append, lastChunk } });
  }
}
