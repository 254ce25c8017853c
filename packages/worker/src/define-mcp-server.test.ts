import { expect, test } from '@jest/globals';
import { defineAgent } from './define-agent.ts';
import { defineConfig } from './define-config.ts';
import { defineMcpServer, type McpServerSettings } from './define-mcp-server.ts';

const settings: McpServerSettings = { name: 'files', command: 'files-server' };

test("an agent names a server's tools as tools in code, by names that the Messages API accepts", () => {
  const files = defineMcpServer(settings);
  expect(files.tool('read_file')).toEqual({ type: 'code', name: 'files__read_file' });
  expect(files.tool('odd.name').name).toMatch(/^files__odd_name_[0-9a-f]{8}$/);
  const agent = defineAgent({ name: 'clerk', model: 'claude-haiku-5-5', tools: [files.tool('read_file')] });
  expect(agent.body['tools']).toEqual([{ type: 'code', name: 'files__read_file', requires_approval: false }]);
  expect(agent.tools).toEqual([]);
  expect(defineConfig({ mcpServers: [files], agents: [agent] }).mcpServers).toEqual([files]);
});

test.each([
  [{ name: 'has a space' }, 'name must be 1 to 32'],
  [{ command: '' }, 'command'],
  [{ processes: 0 }, 'processes'],
  [{ overrides: { write: { effect: 'reconcile' } } }, 'overrides.write.effect'],
  [{ environment: {} }, 'environment'],
])('a server with %j is refused where it is defined', (more, told) => {
  expect(() => defineMcpServer({ ...settings, ...more } as McpServerSettings)).toThrow(told);
});

test('two servers of one name are refused', () => {
  const twice = [defineMcpServer(settings), defineMcpServer(settings)];
  expect(() => defineConfig({ mcpServers: twice })).toThrow('Two MCP servers are called files.');
});
