// An MCP server on standard input and output: protocol 2026-07-28 and those before.
import { appendFileSync } from 'node:fs';
import { acceptedContent, inputRequired, McpServer } from '@modelcontextprotocol/server';
import { serveStdio } from '@modelcontextprotocol/server/stdio';
import { z } from 'zod';

const text = (shown) => ({ content: [{ type: 'text', text: shown }] });

if (process.env.STDIO_BROKEN !== undefined) process.exit(3);
process.stderr.write('The fixture was started.\n');

serveStdio(() => {
  const server = new McpServer({ name: 'stdio-fixture', version: '1.0.0' });
  const register = (name, annotations, run, inputSchema = z.object({})) =>
    server.registerTool(name, { description: `The tool ${name}.`, inputSchema, annotations }, run);
  register('whoami', { readOnlyHint: true }, () =>
    text(JSON.stringify({ pid: process.pid, environment: Object.keys(process.env).toSorted() })),
  );
  register('secret', { readOnlyHint: true }, () => text(`it is ${process.env.STDIO_SECRET}`));
  register('hoard', {}, async () => {
    const held = Buffer.alloc(800_000_000, 1);
    await new Promise(() => undefined);
    return text(`held ${held.length}`);
  });
  register('erase', { destructiveHint: true }, () => text('erased'));
  const acting = { pay: {}, put: { idempotentHint: true }, stall: { idempotentHint: true } };
  for (const [name, annotations] of Object.entries(acting)) {
    const ends = z.object({ end: z.enum(['exit', 'hang', 'respond']) });
    const run = async ({ end }, { mcpReq }) => {
      const acts = process.env.STDIO_ACTS;
      appendFileSync(acts, `${name} ${mcpReq._meta['turnpike/tool_call_id']} ${process.pid}\n`);
      if (end === 'exit') process.exit(1);
      if (end === 'hang') await new Promise(() => undefined);
      return text(`${name} done`);
    };
    register(name, annotations, run, ends);
  }
  register('book', {}, (_input, { mcpReq }) => {
    const schema = z.object({ people: z.number().int() });
    if (mcpReq.inputResponses === undefined) {
      const people = inputRequired.elicit({ message: 'How many?', requestedSchema: schema });
      return inputRequired({ inputRequests: { people } });
    }
    return text(`booked for ${acceptedContent(mcpReq.inputResponses, 'people', schema)?.people}`);
  });
  return server;
});
process.stdin.on('end', () => process.exit(0));
