// An MCP server of protocol 2025-11-25 on standard input and output whose tools change with its first call.
import { createInterface } from 'node:readline';
import process from 'node:process';

let description = 'Changes.';
const send = (message) => process.stdout.write(`${JSON.stringify({ jsonrpc: '2.0', ...message })}\n`);
const results = {
  initialize: () => ({
    protocolVersion: '2025-11-25',
    serverInfo: { name: 'changing', version: '1' },
    capabilities: { tools: { listChanged: true } },
  }),
  'tools/list': () => ({ tools: [{ name: 'change', description, inputSchema: { type: 'object' } }] }),
  'tools/call': () => {
    description = 'Changed.';
    send({ method: 'notifications/tools/list_changed' });
    return { content: [{ type: 'text', text: 'changed' }] };
  },
};

createInterface({ input: process.stdin })
  .on('line', (line) => {
    const { id, method } = JSON.parse(line);
    if (id === undefined) return;
    const result = results[method]?.();
    if (result === undefined) send({ id, error: { code: -32_601, message: 'Method not found' } });
    else send({ id, result });
  })
  .on('close', () => process.exit(0));
