import { TenantLimits, TenantModelSettings, UsageReports } from './resources/account.ts';
import { Agents } from './resources/agents.ts';
import { ApiKeys } from './resources/api-keys.ts';
import { AuditLog } from './resources/audit-log.ts';
import { Batches } from './resources/batches.ts';
import { Budgets } from './resources/budgets.ts';
import { Deliveries } from './resources/deliveries.ts';
import { Files } from './resources/files.ts';
import { Operator } from './resources/operator.ts';
import { Schedules } from './resources/schedules.ts';
import { Secrets } from './resources/secrets.ts';
import { Sessions } from './resources/sessions.ts';
import { Users } from './resources/users.ts';
import { McpServers } from './resources/mcp-servers.ts';
import { Tools } from './resources/tools.ts';
import { Turns } from './resources/turns.ts';
import { WebhookEndpoints } from './resources/webhook-endpoints.ts';
import { Transport, type TurnpikeOptions } from './transport.ts';
import { signWebhook, verifyWebhook } from './verify-webhook.ts';

/** Functions for receivers of webhooks. They need no API key. */
export const webhooks = { verify: verifyWebhook, sign: signWebhook };

/**
 * A client for one Turnpike installation and one API key. It holds no connection and need not be closed. Throws
 * `TypeError` for invalid options.
 */
export class Turnpike {
  readonly turns: Turns;
  readonly batches: Batches;
  readonly schedules: Schedules;
  readonly sessions: Sessions;
  readonly users: Users;
  readonly agents: Agents;
  readonly tools: Tools;
  readonly mcpServers: McpServers;
  readonly files: Files;
  readonly secrets: Secrets;
  readonly apiKeys: ApiKeys;
  readonly webhookEndpoints: WebhookEndpoints;
  readonly deliveries: Deliveries;
  readonly usage: UsageReports;
  readonly budgets: Budgets;
  readonly limits: TenantLimits;
  readonly modelSettings: TenantModelSettings;
  readonly auditLog: AuditLog;
  readonly operator: Operator;
  readonly webhooks = webhooks;

  constructor(options: TurnpikeOptions) {
    const transport = new Transport(options);
    this.turns = new Turns(transport);
    this.batches = new Batches(transport);
    this.schedules = new Schedules(transport);
    this.sessions = new Sessions(transport);
    this.users = new Users(transport);
    this.agents = new Agents(transport);
    this.tools = new Tools(transport);
    this.mcpServers = new McpServers(transport);
    this.files = new Files(transport);
    this.secrets = new Secrets(transport);
    this.apiKeys = new ApiKeys(transport);
    this.webhookEndpoints = new WebhookEndpoints(transport);
    this.deliveries = new Deliveries(transport);
    this.usage = new UsageReports(transport);
    this.budgets = new Budgets(transport);
    this.limits = new TenantLimits(transport);
    this.modelSettings = new TenantModelSettings(transport);
    this.auditLog = new AuditLog(transport);
    this.operator = new Operator(transport);
  }
}
