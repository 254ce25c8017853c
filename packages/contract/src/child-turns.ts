import type { ContentBlock } from './content.ts';
import type { StopReason, TurnStatus } from './statuses.ts';
import type { TurnError } from './turns.ts';

/** A child turn that a call asks for. */
export interface RequestedChild {
  toolCallId: string;
  agentId: string;
  input: ContentBlock[];
}

/**
 * Why a call got no child turn. `agent_deleted`: there is no such agent, or no longer; the others name the limit
 * that it would exceed.
 */
export type ChildRefusal =
  | { reason: 'agent_deleted' }
  | { reason: 'max_child_depth' | 'max_child_turns' | 'max_sessions'; limit: number };

/** What became of a call of a sub-agent: its child turn, or why there is none. */
export type StartedChild =
  | { toolCallId: string; childTurnId: string; refusal: null }
  | { toolCallId: string; childTurnId: null; refusal: ChildRefusal };

/** A child turn, as its parent needs it. */
export interface ChildTurn {
  id: string;
  status: TurnStatus;
  stopReason: StopReason | null;
  output: ContentBlock[] | null;
  error: TurnError | null;
}
