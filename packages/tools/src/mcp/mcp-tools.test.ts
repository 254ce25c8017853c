import { expect, test } from '@jest/globals';
import { mcpServerConfigSchema, type AgentTool, type McpListStore } from '@turnpike/contract';
import { agentWith, scopeOf, turnContext } from '../testing/test-call.ts';
import { testRunner } from '../testing/test-runner.ts';

/** Servers that the turn has the lists of already. Each has one tool, `look`. */
const lists: McpListStore = {
  readServers: async (_turn, names) =>
    names.map((name) => ({
      id: `mcp_${name}`,
      name,
      config: mcpServerConfigSchema.parse({ url: 'https://mcp.example/' }),
      hash: 'list',
      refused: [],
      ageMs: 0,
      keptHash: 'list',
      keptRefused: [],
    })),
  readList: async () => [
    { name: 'look', description: 'd', input_schema: { type: 'object' }, annotations: {}, hash: 'tool' },
  ],
  storeList: async () => ({ change: null, refused: [] }),
  keepList: async (_turn, _server, list) => list,
  expireList: async () => undefined,
};

/** The names of the tools that the model is not shown before it finds them, and of those that it is shown. */
async function declared(...servers: AgentTool[]): Promise<{ deferred: string[]; shown: string[] }> {
  const fetch = () => Promise.reject(new TypeError('No MCP server is reached in this test.'));
  const runner = testRunner({ mcp: { fetch, lists } });
  const scope = scopeOf(agentWith({ type: 'server', name: 'tool_search_tool_regex' }, ...servers));
  await runner.open(scope, turnContext());
  const tools = runner.declare(scope).filter((tool) => 'input_schema' in tool);
  return {
    deferred: tools.filter((tool) => tool.defer_loading === true).map(({ name }) => name),
    shown: tools.filter((tool) => tool.defer_loading !== true).map(({ name }) => name),
  };
}

test('the tools of a server that is deferred are, and not those of one whose name begins with its name', async () => {
  const tools = await declared(
    { type: 'mcp', server: 'a', defer_loading: true },
    { type: 'mcp', server: 'a__b' },
  );
  expect(tools).toEqual({ deferred: ['a__look'], shown: ['a__b__look'] });
});
