export type {
  Agent,
  ApiKey,
  AuditEntry,
  Budget,
  BudgetPeriod,
  CodeTool,
  ContentBlock,
  Delivery,
  DeliveryStatus,
  McpServer,
  MessageDelta,
  ModelSettings,
  RequiredAction,
  SecretEntry,
  Session,
  Tool,
  Turn,
  TurnError,
  TurnEvent,
  TurnFact,
  TurnStatus,
  Usage,
  UsageReport,
  WebhookEndpoint,
  WebhookEventType,
} from './wire/contract.ts';
export * from './errors.ts';
export type { FollowOptions } from './follow-events.ts';
export type { MetadataQuery, Page, PageQuery, Pages, TimeQuery } from './pages.ts';
export type { CreatedApiKey } from './resources/api-keys.ts';
export type { Limits } from './resources/account.ts';
export type { AuditQuery } from './resources/audit-log.ts';
export type { Batch, BatchLine, BatchQuery, BatchResult, NewBatchFile } from './resources/batches.ts';
export type {
  Schedule,
  ScheduleForecast,
  ScheduleQuery,
  ScheduleRun,
  ScheduleRunQuery,
} from './resources/schedules.ts';
export type {
  OperatorTenant,
  OperatorTenantQuery,
  Worker,
  WorkerPool,
  WorkerQuery,
} from './resources/operator.ts';
export type { DeliveryQuery, DeliveryWithAttempts } from './resources/deliveries.ts';
export type { CreatedFile, File, FileContent, FileQuery, NewFile } from './resources/files.ts';
export type { Message, SessionQuery } from './resources/sessions.ts';
export type { CreatedTool } from './resources/tools.ts';
export type {
  RerunPreview,
  Step,
  StreamOptions,
  Submission,
  ToolOutputs,
  TurnQuery,
} from './resources/turns.ts';
export type {
  CreatedWebhookEndpoint,
  Redelivery,
  Rotation,
  WebhookSecret,
} from './resources/webhook-endpoints.ts';
export { outputFormat, readOutput, TurnpikeOutputError, type OutputSchema } from './read-output.ts';
export { TextSoFar } from './text-so-far.ts';
export type { CallOptions, TurnpikeOptions, WriteOptions } from './transport.ts';
export { isFinal, isSettled } from './turn-status.ts';
export * from './turnpike.ts';
export { signWebhook, verifyWebhook } from './verify-webhook.ts';
export type { VerifyOptions, WebhookHeaders } from './verify-webhook.ts';
export type { WaitOptions } from './wait-for-turn.ts';
export type * from './wire/money.ts';
export type * from './wire/webhook-events.ts';
