import { DEFAULT_MAX_USES, SERVER_TOOLS, type AgentTool } from '@turnpike/contract';
import type { GivenTool } from './given-tool.ts';

/** A tool that the model API runs in the model call: a call of it that reaches a worker is a mistake of the model. */
export function serverTool(named: Extract<AgentTool, { type: 'server' }>): GivenTool {
  const { type: _, name, ...settings } = named;
  const { type, settings: taken } = SERVER_TOOLS[name];
  const isBounded = (taken as readonly string[]).includes('max_uses');
  const given = Object.fromEntries(Object.entries(settings).filter(([, value]) => value !== undefined));
  return {
    declaration: { type, name, ...(isBounded ? { max_uses: DEFAULT_MAX_USES } : {}), ...given },
    prepare: () => ({ valid: false, explanation: `${name} is not called this way: the model API runs it.` }),
  };
}
