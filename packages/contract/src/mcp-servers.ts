import { z } from 'zod';
import { effectSchema } from './effects.ts';
import { idSchema } from './ids.ts';
import { NAMES_SECRET } from './secrets.ts';
import { onUnknownSchema, toolHeadersSchema, toolUrlSchema } from './tools.ts';

/** A part of the names that the model is shown: `<server>__<tool>`. */
export const mcpServerNameSchema = z
  .string()
  .regex(/^[a-zA-Z0-9_-]{1,32}$/, 'must be 1 to 32 of a-z, A-Z, 0-9, _ and -')
  .meta({ example: 'crm' });

/** A tool's name at its server, which may be longer and odder than those that the Messages API accepts. */
export const toolNameAtServerSchema = z.string().min(1).max(128);

/** A call can be asked about only where its tool says how; MCP has no such thing. */
const mcpEffectSchema = effectSchema.exclude(['reconcile']);

export const mcpOverrideSchema = z
  .strictObject({
    effect: mcpEffectSchema.optional(),
    requires_approval: z.boolean().optional(),
    on_unknown: onUnknownSchema.optional(),
    timeout_ms: z.int().min(100).max(600_000).optional(),
  })
  .meta({ id: 'McpOverride', description: 'What holds for one tool, whatever its annotations say.' });
export type McpOverride = z.infer<typeof mcpOverrideSchema>;

export const mcpOverridesSchema = z
  .record(toolNameAtServerSchema, mcpOverrideSchema)
  .refine((overrides) => Object.keys(overrides).length <= 512, 'at most 512 tools')
  .meta({ description: 'By the names that the tools have at the server.' });

const secretReference = z.strictObject({
  secret: z.string().min(1).max(128).meta(NAMES_SECRET),
});

const oauthFields = {
  issuer: toolUrlSchema.meta({
    description:
      'The authorization server. The credentials are sent to no other, whatever the MCP server names.',
  }),
  client_id: z.string().min(1).max(1_000),
  scope: z.string().max(1_000).optional(),
};

/** How the client proves who it is, beside `headers`. */
export const mcpAuthSchema = z
  .discriminatedUnion('type', [
    z.strictObject({
      type: z.literal('client_credentials'),
      ...oauthFields,
      client_secret: secretReference,
    }),
    z.strictObject({
      type: z.literal('private_key_jwt'),
      ...oauthFields,
      private_key: secretReference.meta({ description: 'The secret holds the key in PEM (PKCS #8).' }),
      algorithm: z.enum(['RS256', 'RS384', 'RS512', 'PS256', 'ES256', 'ES384', 'ES512', 'EdDSA']),
    }),
  ])
  .meta({
    id: 'McpAuth',
    description: 'OAuth 2.1 without a user: client credentials, or a signed assertion.',
  });
export type McpAuth = z.infer<typeof mcpAuthSchema>;

/** An MCP server, reached over Streamable HTTP. */
export const mcpServerConfigSchema = z.strictObject({
  url: toolUrlSchema,
  headers: toolHeadersSchema,
  auth: mcpAuthSchema.optional(),
  timeout_ms: z.int().min(100).max(600_000).default(60_000).meta({
    description: 'Time limit of one call, including its repetitions.',
  }),
  task_timeout_ms: z.int().min(1_000).max(604_800_000).default(86_400_000).meta({
    description: 'Time limit of a task that the server made of a call. Its turn waits without a worker.',
  }),
  max_output_bytes: z.int().min(256).max(1_048_576).default(65_536).meta({
    description: 'Text of one result; images and documents have a limit of their own.',
  }),
  annotations: z
    .enum(['trust', 'ignore'])
    .default('trust')
    .meta({
      description:
        '`trust`: `readOnlyHint` makes a tool `read`, `idempotentHint` makes it `idempotent`, and `destructiveHint` asks ' +
        'for approval. A server can lie: with `ignore`, only `effect`, `requires_approval` and `overrides` count.',
    }),
  effect: mcpEffectSchema.default('once').meta({
    description: 'What a repeated call would do, for tools of which nothing else says it.',
  }),
  requires_approval: z.boolean().default(false).meta({ description: 'Of every call, unless overridden.' }),
  on_unknown: onUnknownSchema.default('tell_model'),
  overrides: mcpOverridesSchema.default({}),
  list_ttl_ms: z.int().min(1_000).max(86_400_000).default(300_000).meta({
    description: 'How old the list of tools may be when a turn begins.',
  }),
  on_change: z
    .enum(['accept', 'refuse'])
    .default('accept')
    .meta({
      description:
        'What becomes of tools that are new or that changed after the list was first seen. `refuse`: agents do not have ' +
        'them until `POST /v1/mcp_servers/{mcp_server_id}/accept_tools`.',
    }),
});
export type McpServerConfig = z.infer<typeof mcpServerConfigSchema>;

export const createMcpServerSchema = mcpServerConfigSchema
  .extend({ name: mcpServerNameSchema })
  .meta({ id: 'CreateMcpServer' });

/** The complete new configuration; the name does not change. */
export const updateMcpServerSchema = mcpServerConfigSchema.meta({ id: 'UpdateMcpServer' });

export const mcpChangeSchema = z
  .object({
    at: z.iso.datetime(),
    added: z.array(z.string()),
    changed: z.array(z.string()).meta({
      description: 'Tools with another description, schema or annotations.',
    }),
    removed: z.array(z.string()),
  })
  .meta({ id: 'McpChange', description: 'How a list of tools differs from the one before.' });
export type McpChange = z.infer<typeof mcpChangeSchema>;

export const mcpServerSchema = mcpServerConfigSchema
  .extend({
    id: idSchema('mcpServer'),
    object: z.literal('mcp_server'),
    name: mcpServerNameSchema,
    tools_hash: z.string().nullable().meta({
      description: 'SHA-256 of the newest list of tools; null before a turn has asked for it.',
    }),
    tools_listed_at: z.iso.datetime().nullable(),
    last_change: mcpChangeSchema
      .nullable()
      .meta({ description: 'Of the list of tools, after it was first seen.' }),
    refused_tools: z.array(z.string()).meta({
      description: 'Tools that are new or changed, and that agents do not have until they are accepted.',
    }),
    created_at: z.iso.datetime(),
    updated_at: z.iso.datetime(),
  })
  .meta({ id: 'McpServer', description: 'An MCP server whose tools agents can have.' });
export type McpServer = z.infer<typeof mcpServerSchema>;

/** A hint of a server about one of its tools. Untrusted. */
export const mcpAnnotationsSchema = z.object({
  title: z.string().optional(),
  readOnlyHint: z.boolean().optional(),
  destructiveHint: z.boolean().optional(),
  idempotentHint: z.boolean().optional(),
  openWorldHint: z.boolean().optional(),
});

/** A tool as its server lists it. */
export const mcpListedToolSchema = z
  .object({
    name: z.string(),
    title: z.string().optional(),
    description: z.string(),
    input_schema: z.looseObject({ type: z.literal('object') }),
    annotations: mcpAnnotationsSchema,
    task_support: z.enum(['optional', 'required']).optional().meta({
      description: 'Whether a server of protocol 2025-11-25 can make a task of a call.',
    }),
    hash: z.string().meta({ description: 'SHA-256 of everything else here.' }),
  })
  .meta({ id: 'McpListedTool' });
export type McpListedTool = z.infer<typeof mcpListedToolSchema>;

export const mcpToolListSchema = z
  .object({
    object: z.literal('mcp_tool_list'),
    hash: z.string().nullable().meta({ description: 'Null before a turn has asked for the list.' }),
    tools: z.array(mcpListedToolSchema),
  })
  .meta({ id: 'McpToolList', description: 'The tools of a server, as it listed them last.' });

export const acceptMcpToolsSchema = z
  .strictObject({
    tools_hash: z.string().length(64).meta({
      description: 'The `tools_hash` that was looked at: a list that changed meanwhile is not accepted.',
    }),
  })
  .meta({ id: 'AcceptMcpTools' });

/** A server as a turn finds it. */
export interface McpServerOfTurn {
  id: string;
  name: string;
  config: McpServerConfig;
  /** Of the newest list; null before there is one. */
  hash: string | null;
  /** Tools of the newest list that agents do not have. */
  refused: string[];
  /** How old the newest list is, in milliseconds; null where it is to be asked for again. */
  ageMs: number | null;
  /** Of the list that the turn began with; null where it has none yet. */
  keptHash: string | null;
  keptRefused: string[];
}

/** The lists of tools that MCP servers gave. The store implements it. */
export interface McpListStore {
  /** The tenant's servers of these names. */
  readServers(
    turn: { tenantId: string; turnId: string },
    names: readonly string[],
  ): Promise<McpServerOfTurn[]>;
  readList(tenantId: string, hash: string): Promise<McpListedTool[] | null>;
  /** Stores the newest list of a server. `change` is how it differs from the one before, null for the first one. */
  storeList(
    server: { tenantId: string; serverId: string },
    hash: string,
    tools: readonly McpListedTool[],
  ): Promise<{ change: Omit<McpChange, 'at'> | null; refused: string[] }>;
  /** Keeps a list for a turn, and returns the one that the turn has: the first that was kept. */
  keepList(
    turn: { tenantId: string; turnId: string },
    server: string,
    list: { hash: string; refused: readonly string[] },
  ): Promise<{ hash: string; refused: readonly string[] }>;
  /** The next turn asks for the list again. */
  expireList(tenantId: string, serverId: string): Promise<void>;
}

/** A server's list that differs from the one before, as it is told to those who watch the turn that found out. */
export const toolsChangedSchema = z.object({
  server: z.string().meta({ description: 'The name of the MCP server.' }),
  added: z.array(z.string()),
  changed: z.array(z.string()),
  removed: z.array(z.string()),
  refused: z
    .array(z.string())
    .meta({ description: 'Those that agents do not have before they are accepted.' }),
});
export type ToolsChanged = z.infer<typeof toolsChangedSchema>;

/** The names of tools that another list of a server has too many, otherwise, or not, as `mcp.tools_changed` has them. */
export function compareLists(
  before: readonly Pick<McpListedTool, 'name' | 'hash'>[],
  now: readonly Pick<McpListedTool, 'name' | 'hash'>[],
): Record<'added' | 'changed' | 'removed', string[]> {
  const known = new Map(before.map((tool) => [tool.name, tool.hash]));
  const current = new Set(now.map(({ name }) => name));
  const named = (tools: typeof now): string[] => tools.map(({ name }) => name);
  return {
    added: named(now.filter(({ name }) => !known.has(name))),
    changed: named(now.filter(({ name, hash }) => known.has(name) && known.get(name) !== hash)),
    removed: named(before.filter(({ name }) => !current.has(name))),
  };
}
