import type { ZodOpenApiExamplesObject } from 'zod-openapi';
import { DIALECTS } from '../dialects/dialects.ts';

const AGENT = 'agent_01kapjt9e8f7ga5vxq3c2m4n6r';
const CALL = 'call_01kapjt9e8f7ga5vxq3c2m4n6r';
/** One red pixel. */
const PNG = 'iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAIAAACQd1PeAAAADElEQVR4nGP4z8AAAAMBAQDJ/pLvAAAAAElFTkSuQmCC';

const TOOL = {
  description: 'Looks up the price of an item.',
  input_schema: {
    type: 'object',
    properties: { item: { type: 'string', description: 'What to buy.' } },
    required: ['item'],
  },
  url: 'https://tools.example.invalid/price',
  headers: { 'x-shop': 'lisbon', authorization: { secret: 'shop_token' } },
  effect: 'read',
};

/**
 * Examples for each operation with a body. With ids of existing objects each is accepted as it is: `openapi.test.ts`
 * sends them all.
 */
export const BODY_EXAMPLES: Record<string, ZodOpenApiExamplesObject> = {
  ...Object.fromEntries(
    DIALECTS.flatMap(({ routes }) => routes).flatMap(({ operationId, examples }) =>
      examples === undefined ? [] : [[operationId, examples]],
    ),
  ),
  createAgent: {
    least: { summary: 'Only required fields', value: { name: 'helper', model: 'claude-sonnet-4-5' } },
    tools: {
      summary: 'With tools, one of which waits for approval',
      value: {
        name: 'travel',
        model: 'claude-sonnet-4-5',
        system: 'You plan journeys.',
        tools: [
          { type: 'builtin', name: 'current_time' },
          {
            type: 'client',
            name: 'pick_date',
            description: 'Lets the user pick a date.',
            input_schema: { type: 'object', properties: {} },
          },
          { type: 'memory', requires_approval: true },
        ],
        max_tokens: 2048,
        metadata: { team: 'travel' },
      },
    },
  },
  updateAgent: {
    system: {
      summary: 'With another prompt, everything else unchanged',
      value: { system: 'Answer in one sentence.' },
    },
    cleared: {
      summary: 'Without a temperature of its own, if it is at version 1',
      value: { temperature: null, if_version: 1 },
    },
  },
  createBatch: {
    inline: {
      summary: 'Two turns of one agent',
      value: {
        defaults: { agent_id: AGENT, metadata: { job: 'nightly' } },
        items: [
          { custom_id: 'row-1', input: 'Translate: good morning.' },
          { custom_id: 'row-2', input: 'Translate: good night.', priority: -10 },
        ],
      },
    },
  },
  createSchedule: {
    weekdays: {
      summary: 'A report on each weekday, at nine in Berlin',
      value: {
        name: 'Morning report',
        timing: { type: 'cron', expression: '0 9 * * MON-FRI', time_zone: 'Europe/Berlin' },
        turn: { agent_id: AGENT, input: 'Report what has changed since yesterday.' },
      },
    },
    hourly: {
      summary: 'Every hour in one session, one turn after another',
      value: {
        timing: { type: 'interval', every_seconds: 3_600 },
        turn: { agent_id: AGENT, input: 'Look for new orders.' },
        session: 'one',
        overlap: 'queue',
        jitter_seconds: 60,
      },
    },
  },
  updateSchedule: {
    once: {
      summary: 'One turn at one time',
      value: {
        timing: { type: 'once', at: '2030-01-01T09:00:00Z' },
        turn: { agent_id: AGENT, input: 'Wish a happy new year.' },
      },
    },
  },
  createApiKey: {
    narrow: {
      summary: 'For a program that submits turns and reads them, for 30 days',
      value: { name: 'shop', scopes: ['turns:write', 'turns:read'], expires_in_seconds: 2_592_000 },
    },
  },
  rotateApiKey: {
    hour: { summary: 'The old key works for an hour more', value: { overlap_seconds: 3_600 } },
  },
  putModelSettings: {
    keys: { summary: 'A key of your own, by the name of its secret', value: { keys: ['anthropic'] } },
  },
  setBudget: { five: { summary: 'Five dollars', value: { limit_micros: 5_000_000 } } },
  putSecret: {
    key: { summary: 'A token that a tool is called with', value: { value: 'a-token-of-your-shop' } },
    bound: {
      summary: 'A token that is sent to one host only',
      value: { value: 'a-token-of-your-shop', allowed_hosts: ['shop.invalid'] },
    },
  },
  createUserErasure: { user: { summary: 'All of a user', value: { user_id: 'user-42' } } },
  createSession: {
    labelled: {
      summary: 'With a label to find it by',
      value: { agent_id: AGENT, metadata: { customer: 'c-42' } },
    },
  },
  updateSession: {
    budget: { summary: 'Two dollars for all of its turns', value: { budget_micros: 2_000_000 } },
  },
  createTool: { read: { summary: 'A tool that changes nothing', value: { name: 'price', ...TOOL } } },
  updateTool: { slower: { summary: 'With more time', value: { ...TOOL, timeout_ms: 60_000 } } },
  createMcpServer: {
    headers: {
      summary: 'With a token in a header',
      value: {
        name: 'crm',
        url: 'https://mcp.example.invalid/',
        headers: { authorization: { secret: 'shop_token' } },
      },
    },
    oauth: {
      summary: 'With OAuth client credentials, and one tool that is not called without approval',
      value: {
        name: 'billing',
        url: 'https://billing.example.invalid/mcp',
        auth: {
          type: 'client_credentials',
          issuer: 'https://login.example.invalid/',
          client_id: 'turnpike',
          client_secret: { secret: 'shop_token' },
        },
        overrides: { refund: { effect: 'once', requires_approval: true } },
        on_change: 'refuse',
      },
    },
  },
  updateMcpServer: {
    slower: {
      summary: 'With more time',
      value: { url: 'https://mcp.example.invalid/', timeout_ms: 300_000 },
    },
  },
  acceptMcpTools: {
    list: { summary: 'The list that was looked at', value: { tools_hash: '0'.repeat(64) } },
  },
  createFile: {
    url: {
      summary: 'For a URL to upload a PDF to',
      value: { filename: 'invoice.pdf', media_type: 'application/pdf', bytes: 48_213 },
    },
  },
  submitTurn: {
    text: { summary: 'Text', value: { input: 'And tomorrow?' } },
    steer: {
      summary: 'Text that joins the turn that runs, if one does',
      value: { input: 'In Celsius, please.', multitask_strategy: 'steer' },
    },
  },
  startTurn: {
    text: { summary: 'Text', value: { agent_id: AGENT, input: 'What time is it in Lisbon?' } },
    picture: {
      summary: 'An image and a question, with a webhook',
      value: {
        agent_id: AGENT,
        input: [
          { type: 'image', source: { type: 'base64', media_type: 'image/png', data: PNG } },
          { type: 'text', text: 'Which colour is this?' },
        ],
        metadata: { customer: 'c-42' },
        webhook_url: 'https://hooks.example.invalid/turnpike',
      },
    },
  },
  forkSession: {
    whole: { summary: 'The whole session, as far as it has ended', value: {} },
    agent: { summary: 'With another agent', value: { agent_id: AGENT, metadata: { branch: 'b' } } },
  },
  rerunTurn: {
    again: { summary: 'The whole turn, with another input', value: { input: 'In Celsius, please.' } },
  },
  resumeTurn: { budget: { summary: 'With a dollar to spend', value: { budget_micros: 1_000_000 } } },
  submitToolOutputs: {
    output: {
      summary: "The output of a client's tool",
      value: { tool_outputs: [{ tool_call_id: CALL, output: '2026-12-24' }] },
    },
    approval: { summary: 'An approval', value: { tool_outputs: [{ tool_call_id: CALL, approved: true }] } },
    denial: {
      summary: 'A denial, and why',
      value: { tool_outputs: [{ tool_call_id: CALL, approved: false, reason: 'Too expensive.' }] },
    },
    outcome: {
      summary: 'The outcome of the call is unknown',
      value: { tool_outputs: [{ tool_call_id: CALL, outcome: 'unknown' }] },
    },
  },
  createWebhookEndpoint: {
    ends: {
      summary: 'Of turns that complete or fail',
      value: {
        url: 'https://hooks.example.invalid/turnpike',
        events: ['turn.completed', 'turn.failed', 'turn.incomplete'],
      },
    },
  },
  updateWebhookEndpoint: { enable: { summary: 'Enabled again', value: { enabled: true } } },
  rotateWebhookEndpointSecret: {
    day: { summary: 'The old key signs for a day more', value: { overlap_seconds: 86_400 } },
  },
  rotateWebhookSecret: {
    day: { summary: 'The old key signs for a day more', value: { overlap_seconds: 86_400 } },
  },
  redeliverToEndpoint: {
    missed: { summary: 'What did not arrive since then', value: { since: '2026-11-30T00:00:00Z' } },
  },
};
