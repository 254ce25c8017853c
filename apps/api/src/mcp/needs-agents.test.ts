import { expect, test } from '@jest/globals';
import { needsAgents } from './needs-agents.ts';

test.each([
  { method: 'initialize', params: { protocolVersion: '2025-11-25' } },
  { method: 'notifications/initialized' },
  { method: 'ping' },
  { method: 'server/discover' },
  { method: 'tasks/get', params: { taskId: 'turn_1', name: 'Travel_clerk' } },
  { method: 'tools/call', params: { name: 'get_turn', arguments: {} } },
  { method: 'tools/call', params: { name: 'cancel_turn' } },
])('%j is answered without the agents', (body) => {
  expect(needsAgents({ jsonrpc: '2.0', id: 1, ...body })).toBe(false);
});

test.each([
  [{ method: 'tools/list' }],
  [{ method: 'tools/call', params: { name: 'Travel_clerk' } }],
  [{ method: 'tools/call', params: { name: ['get_turn'] } }],
  [{ method: 'tools/call' }],
  [[{ method: 'ping' }, { method: 'tools/list' }]],
  [{ method: 1 }],
  [{ id: 1, result: {} }],
  ['tools/list'],
  [null],
  [undefined],
])('%j is answered with the agents', (body) => {
  expect(needsAgents(body)).toBe(true);
});
