// Turnpike's own MCP client as the conformance suite starts it, with the URL of a server: it asks for the tools as a turn
// does, and calls each once. What a worker has of a database is kept in memory.
import process from 'node:process';
import { createCallGuard, createEgress, createGuardedFetch } from '../../../packages/egress/dist/index.js';
import { hideValue, Secret } from '../../../packages/telemetry/dist/index.js';
import { createToolRunner, InputSchemas } from '../../../packages/tools/dist/index.js';
import { mcpServerConfigSchema } from '../../../packages/contract/dist/index.js';

const url = process.argv.at(-1);
const { MCP_CONFORMANCE_CONTEXT = '{}' } = process.env;
const given = JSON.parse(MCP_CONFORMANCE_CONTEXT);
const allow = [new URL(url).hostname, '127.0.0.1', 'localhost', '::1'];

const logger = { debug() {}, info() {}, warn: log, error: log, child: () => logger };
function log(message, fields) {
  process.stderr.write(`${message} ${JSON.stringify(fields ?? {})}\n`);
}

const secret = given.client_secret ?? given.private_key_pem ?? null;
const config = mcpServerConfigSchema.parse({
  url,
  timeout_ms: 20_000,
  effect: 'idempotent',
  requires_approval: false,
  ...(secret === null ? {} : { auth: await authOf() }),
});

/** An operator knows who gives tokens for a server. */
async function authOf() {
  const { origin, pathname } = new URL(url);
  const metadata = await fetch(`${origin}/.well-known/oauth-protected-resource${pathname}`);
  const { authorization_servers: servers } = await metadata.json();
  const common = { issuer: servers[0], client_id: given.client_id };
  return given.client_secret === undefined
    ? {
        type: 'private_key_jwt',
        ...common,
        private_key: { secret: 's' },
        algorithm: given.signing_algorithm ?? 'ES256',
      }
    : { type: 'client_credentials', ...common, client_secret: { secret: 's' } };
}

const lists = new Map();
let newest = null;
const upstream = createGuardedFetch({ allow: allow, idleTimeoutMs: 30_000, maxResponseBytes: 16_777_216 });
const runner = createToolRunner({
  builtins: [],
  findCode: () => null,
  egress: createEgress({ allow: allow, deadlineMs: 30_000, idleTimeoutMs: 30_000 }),
  guard: createCallGuard({}),
  secrets: {
    async read() {
      hideValue(secret);
      return new Secret(secret);
    },
    open: () => Promise.reject(new Error('Nothing is sealed here.')),
  },
  memory: {},
  subAgents: {},
  mcp: {
    fetch: upstream.fetch,
    lists: {
      readServers: async () => [
        {
          id: 'mcp_1',
          name: 'it',
          config,
          hash: newest,
          refused: [],
          ageMs: null,
          keptHash: null,
          keptRefused: [],
        },
      ],
      readList: async (_tenant, hash) => lists.get(hash) ?? null,
      async storeList(_server, hash, tools) {
        newest = hash;
        lists.set(hash, tools);
        return { change: null, refused: [] };
      },
      keepList: async (_turn, _server, list) => list,
      expireList: async () => undefined,
    },
  },
  logger,
  schemas: new InputSchemas(() => undefined),
});

const scope = { tenantId: 'ten_1', agent: { tools: [{ type: 'mcp', server: 'it' }] } };
const abort = new AbortController();
const context = {
  tenantId: 'ten_1',
  turnId: 'turn_1',
  sessionId: 'sess_1',
  epoch: 1,
  signal: abort.signal,
  endSignal: abort.signal,
  logger,
  traceparent: null,
  logsContent: () => false,
  assertHeld: () => undefined,
  now: () => Date.now(),
  remainingMs: () => 60_000,
  metadata: { turn: {}, session: {} },
  attempt: 1,
  showProgress: () => undefined,
};

await runner.open(scope, context);
// A parameter that is null is one that the model leaves out: most schemas allow no null.
const withoutNulls = (input) =>
  Object.fromEntries(Object.entries(input).filter(([, value]) => value !== null));
const calls = (given.toolCalls ?? []).map(({ name, arguments: input }) => [
  `it__${name}`,
  withoutNulls(input),
]);
const named = new Set(calls.map(([name]) => name));
for (const { name, input_schema: schema } of runner.declare(scope)) {
  if (name === 'it__json_schema_echo')
    calls.push([name, { schema: keptSchemaOf('json_schema_2020_12_tool') }]);
  else if (!named.has(name)) calls.push([name, example(schema)]);
}
for (const [place, [name, input]] of calls.entries()) await callTool(`call_${place}`, name, input);
await runner.close();
await upstream.close();
process.exit(0);

/** The schema of a tool as the worker keeps it, and shows it to the model. */
function keptSchemaOf(tool) {
  const kept = lists.get(newest).find(({ name }) => name === tool).input_schema;
  const shown = runner.declare(scope).find(({ name }) => name === `it__${tool}`).input_schema;
  if (JSON.stringify(shown.properties.input.$defs) !== JSON.stringify(kept.$defs))
    throw new Error('It is not shown.');
  return kept;
}

/** Makes one call, and answers what its server asks. */
async function callTool(id, name, input) {
  const steps = [];
  const call = { id, name, input, inputText: JSON.stringify(input), toolUseId: id, steps };
  for (let rounds = 0; rounds < 10; rounds += 1) {
    const plan = await runner.planOf(scope, call);
    try {
      const output = await runner.run(
        scope,
        { ...call, effect: plan.effect },
        { ...context, steps: () => steps, commitStep: async (step) => void steps.push(step) },
      );
      process.stdout.write(`${name}: ${JSON.stringify(output)}\n`);
      return;
    } catch (error) {
      if (error.question === undefined) {
        process.stderr.write(`${name}: ${error.code ?? ''} ${error.message}\n`);
        return;
      }
      const answer = answerTo(error.question.answer_schema);
      steps.push({
        kind: 'answer',
        name: error.question.name,
        effect: 'once',
        status: 'completed',
        result: JSON.stringify(answer),
      });
    }
  }
}

function answerTo({ properties }) {
  if ('action' in properties) return { action: 'accept', content: example(properties.content) };
  return Object.fromEntries(Object.entries(properties).map(([key, form]) => [key, answerTo(form)]));
}

/** A value that fits a schema: what a model might send. */
function example(schema = {}) {
  if (schema.default !== undefined) return schema.default;
  if (schema.enum !== undefined) return schema.enum[0];
  if (schema.oneOf?.[0]?.const !== undefined) return schema.oneOf[0].const;
  const type = Array.isArray(schema.type) ? schema.type[0] : schema.type;
  switch (type) {
    case 'integer':
    case 'number':
      return schema.minimum ?? 5;
    case 'boolean':
      return true;
    case 'array':
      return [];
    case 'string':
      return schema.format === 'email' ? 'ada@example.com' : 'text';
    default: {
      const required = new Set(schema.required ?? Object.keys(schema.properties ?? {}));
      const fields = Object.entries(schema.properties ?? {}).filter(([key]) => required.has(key));
      return Object.fromEntries(fields.map(([key, field]) => [key, example(field)]));
    }
  }
}
