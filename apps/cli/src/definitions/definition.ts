import type { AgentReference, CreateAgent, CreateTool } from '@turnpike/contract';

/** Where a definition was written. */
export interface Origin {
  /** As it is shown: relative to the working directory. */
  file: string;
  /** The line of a field, such as `tools.0.name`, or of the nearest field around it; null where lines are not known. */
  lineOf(path: string): number | null;
}

/**
 * An agent or an HTTP tool as its file says it is to be, with every default filled in. The ids of the agents in
 * `references` are not known yet.
 */
export type Definition =
  | {
      kind: 'agent';
      name: string;
      value: CreateAgent;
      /** Agents that it calls, by their names. */
      references: AgentReference[];
      origin: Origin;
    }
  | { kind: 'tool'; name: string; value: CreateTool; origin: Origin };

/** One mistake in a file: `agents/support.yaml:7: tools.0.name: is missing`. */
export function describeMistake({ file, lineOf }: Origin, path: string, message: string): string {
  const line = lineOf(path);
  return `${file}${line === null ? '' : `:${line}`}: ${path === '' ? '' : `${path}: `}${message}`;
}
