import type { Egress } from '@turnpike/egress';
import { currentTime } from './current-time.ts';
import { httpRequest } from './http-request.ts';
import type { Tool } from './tool.ts';

/** The tools that the operator registers in code, by name. */
const BUILTINS: Record<string, (parts: { egress: Egress }) => Tool> = {
  current_time: () => currentTime(),
  http_request: ({ egress }) => httpRequest(egress),
};

export const BUILTIN_NAMES: readonly string[] = Object.keys(BUILTINS);

/** Throws an `Error` for a tool that is registered under a name that is not its own. */
export function createBuiltins(parts: { egress: Egress }): Tool[] {
  return Object.entries(BUILTINS).map(([name, create]) => {
    const tool = create(parts);
    if (tool.name !== name) throw new Error(`${name} is registered under a name that is not its own.`);
    return tool;
  });
}
