export {
  insertTurn,
  insertTurnWithSession,
  lockWaiting,
  type AcceptedTurn,
  type Counted,
  type NewSessionTurn,
  type NewTurn,
  type RefusedTurn,
} from './accept-turn.ts';
export { advanceTurn, readProgress } from './advance-turn.ts';
export { answerAction, lockWaitingTurn, readWaitingCalls, type WaitingCall } from './answer-action.ts';
export {
  addAgentVersion,
  agentHasVersion,
  deleteAgent,
  insertAgent,
  listAgents,
  listAgentVersions,
  lockAgent,
  readAgent,
  type AgentContents,
} from './agents.ts';
export { hashApiKey, isApiKey, makeApiKey } from './api-key-text.ts';
export {
  createApiKey,
  findKeyHolder,
  listApiKeys,
  noteKeyUse,
  retireApiKey,
  revokeApiKey,
  type KeyHolder,
} from './api-keys.ts';
export {
  countSpending,
  deleteBudget,
  findExhaustedBudget,
  listBudgets,
  setBudget,
  type BudgetSetter,
} from './budgets.ts';
export { insertAuditEntry, listAuditEntries, type AuditFilter } from './audit.ts';
export { bookCut } from './book-cut.ts';
export { cancelOpenTurns, cancelTurn, type CancelledTurn } from './cancel-turns.ts';
export { raiseHints, takeUncheckedHints } from './check-hints.ts';
export { checkDatabase, checkSettings } from './check-database.ts';
export { findSchemaDrift } from './check-schema.ts';
export { claimTurn, type TakenTurn } from './claim-turn.ts';
export { claimDelivery, readTurnOfDelivery, type ClaimedDelivery } from './claim-delivery.ts';
export { hasRoomFor, hasRoomForVersion, type Owned } from './count-owned.ts';
export { cutEvents } from './cut-events.ts';
export { openDatabase, type Database, type DatabaseOptions } from './database.ts';
export { listDeliveries, listDeliveryAttempts, readDelivery, type DeliveryFilter } from './deliveries.ts';
export { deleteTenant, listOpenTurns, revokeAllKeys } from './delete-tenant.ts';
export { exportTenant, type ExportedRow } from './export-tenant.ts';
export { listTenantTables, type TenantTable } from './tenant-tables.ts';
export { listDebuggedTenants, setDebug } from './debug-tenants.ts';
export { dispatchTurns, type DispatchedTurn } from './dispatch-turns.ts';
export { expireLeases, type ExpiredLease } from './expire-leases.ts';
export { expireActions, expireDeadlines, type WaitedTurn } from './expire-waits.ts';
export { findSessionLog, findTurnLog, type SessionLog, type TurnLog } from './find-event-log.ts';
export { findRefusal } from './find-refusal.ts';
export { lockStoppedTurn, type StoppedTurn } from './find-resumable.ts';
export { findReadyTenants, findUnreadySessions } from './find-waiting.ts';
export { buryDeliveries, expireDeliveries, forgetDeliveries } from './forget-deliveries.ts';
export { insertTurnOnce, type Once } from './accept-turn-once.ts';
export { answerOnce, forgetAnswers, type IdempotentRequest, type StoredAnswer } from './idempotency.ts';
export { listMessages, listSteps, type MessagePlace } from './journal.ts';
export { createMemoryStore } from './memory.ts';
export { migrate, type MigrateOptions } from './migrate.ts';
export { MigrationLockedError } from './migration-lock.ts';
export { NotMigratedError, requiredMigrations } from './migration-state.ts';
export { MigrationForbiddenError } from './prepare-schema.ts';
export { easeOutage, probeOutages } from './probe-outages.ts';
export { purge, PURGEABLE, type Purgeable } from './purge.ts';
export { promoteDelayed } from './promote-delayed.ts';
export { putModelSettings, readModelSettings } from './model-settings.ts';
export {
  countOpenReceivers,
  pickWaitingDeliveries,
  raiseDeliveryHints,
  readDeliveryBacklog,
  takeFreshDeliveries,
  takeUncheckedDeliveries,
  type PickedDelivery,
} from './pick-deliveries.ts';
export { readTurnBacklog, type TurnBacklog } from './read-turn-backlog.ts';
export { readSessionFacts, readTurnFacts, type EventPlace, type PlacedFact } from './read-events.ts';
export { listTurns, readTurn, type TurnFilter } from './read-turns.ts';
export {
  putBackDelivery,
  recordDelivery,
  type AttemptOutcome,
  type AttemptReport,
  type ReceiverBreaker,
  type DisablingRule,
} from './record-delivery.ts';
export { redeliver, redeliverAll } from './redeliver.ts';
export { countDataKeys, rewrapDataKeys, type Rewrapped } from './rewrap-data-keys.ts';
export { releaseTurn } from './release-turn.ts';
export { renewLeases, type RenewedLease } from './renew-leases.ts';
export { reserveCost, type Reservation } from './reserve-cost.ts';
export {
  deleteSession,
  insertSession,
  type NewSession,
  listSessions,
  readSession,
  sessionExists,
  updateSession,
} from './sessions.ts';
export { inTransaction, StoreUnavailableError, transaction, type Sql } from './sql.ts';
export { DatabaseSettingsError } from './session-settings.ts';
export {
  deleteSecret,
  findSecrets,
  listSecrets,
  markModelKeys,
  putSecret,
  readSecretEntry,
} from './secrets.ts';
export { steerTurn } from './steer-turn.ts';
export {
  createTenant,
  findTenantByName,
  findTenants,
  insertTenant,
  listTenants,
  setOperatorKey,
  type TenantRow,
} from './tenants.ts';
export { changeLimits, readLimits } from './tenant-limits.ts';
export { forgetWorkers, removeWorker, type LiveWorker } from './workers.ts';
export { readUsage, type UsageRange } from './usage.ts';
export { openVault, type Vault } from './vault.ts';
export {
  deleteTool,
  findToolsThatSend,
  findUsersOfTool,
  insertTool,
  listTools,
  lockTool,
  readTool,
  shareNamedTools,
  updateTool,
} from './tools.ts';
export {
  announceEvent,
  deleteWebhookEndpoint,
  insertWebhookEndpoint,
  listWebhookEndpoints,
  readWebhookEndpoint,
  updateWebhookEndpoint,
} from './webhook-endpoints.ts';
export { readWebhookSecrets, replaceWebhookSecret, type SecretOwner } from './webhook-secrets.ts';
