import type { ContentBlock, TurnFact } from '@turnpike/contract';
import { orNull, type UseCases } from '@turnpike/dialect-base';

export interface GivenMessage {
  id: string;
  content: ContentBlock[];
}

/** What the events of a turn are made of beside its facts. */
export interface TurnContext {
  /** The names of the MCP servers that its agent has. */
  mcpServers: readonly string[];
  /** The names of the tools that its client runs. */
  customTools: ReadonlySet<string>;
  /** What the client said, by the id of the fact with which it was accepted. */
  given: Map<string, GivenMessage[]>;
}

/** Reads what the facts of turns do not say. It may be asked for the same ones again. */
export class TurnContexts {
  readonly #useCases: UseCases;
  readonly #known = new Map<string, TurnContext>();

  constructor(useCases: UseCases) {
    this.#useCases = useCases;
  }

  /** Reads what these facts need. */
  async read(facts: readonly TurnFact[]): Promise<void> {
    for (const fact of facts) {
      const { turn_id: turnId, type } = fact;
      const context = this.#known.get(turnId) ?? (await this.#open(turnId));
      this.#known.set(turnId, context);
      const isSaid = (type === 'turn.queued' && fact.sequence_number === 1) || type === 'input.added';
      if (isSaid && !context.given.has(fact.id)) context.given.set(fact.id, await this.#givenWith(fact));
    }
  }

  of(turnId: string): TurnContext {
    return this.#known.get(turnId) ?? NOTHING;
  }

  /** It is not needed any more. */
  drop(turnId: string): void {
    this.#known.delete(turnId);
  }

  clear(): void {
    this.#known.clear();
  }

  async #open(turnId: string): Promise<TurnContext> {
    const turn = await orNull(this.#useCases.turns.read(turnId));
    const agent = turn && (await this.#useCases.agents.read(turn.agent_id, turn.agent_version));
    const tools = turn?.overrides?.tools ?? agent?.tools ?? [];
    return {
      mcpServers: tools.flatMap((tool) => (tool.type === 'mcp' ? [tool.server] : [])),
      customTools: new Set(tools.flatMap((tool) => (tool.type === 'client' ? [tool.name] : []))),
      given: new Map(),
    };
  }

  /** A message and the fact that it was accepted with are one commit, and have its time. */
  async #givenWith({ turn_id: turnId, created_at: at }: TurnFact): Promise<GivenMessage[]> {
    const messages = (await orNull(this.#useCases.turns.messages(turnId))) ?? [];
    return messages.filter(({ role, created_at: time }) => role === 'user' && time === at);
  }
}

/** Of a turn that is not known. */
export const NOTHING: TurnContext = { mcpServers: [], customTools: new Set(), given: new Map() };
