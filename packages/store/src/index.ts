export {
  insertTurn,
  insertTurns,
  lockWaiting,
  type AcceptedTurn,
  type Counted,
  type NewTurn,
  type OfferingWorker,
  type Refusal,
} from './turns/insert-turn.ts';
export { insertTurnInGroup } from './turns/insert-turn-in-group.ts';
export { advanceTurn, readProgress } from './turns/advance-turn.ts';
export {
  answerAction,
  lockWaitingTurn,
  readQuestions,
  readWaitingCalls,
  type WaitingCall,
} from './turns/answer-action.ts';
export {
  addAgentVersion,
  agentHasVersion,
  agentOfSession,
  deleteAgent,
  findAgents,
  findAgentsNamed,
  insertAgent,
  listAgents,
  listAgentVersions,
  lockAgent,
  readAgent,
  type AgentContents,
} from './agents/agents.ts';
export { createSubAgentStore } from './agents/sub-agents.ts';
export { hashApiKey, isApiKey, makeApiKey } from './tenants/api-key-text.ts';
export {
  createApiKey,
  findKeyHolder,
  listApiKeys,
  recordKeyUse,
  retireApiKey,
  revokeApiKey,
  type KeyHolder,
} from './tenants/api-keys.ts';
export {
  countSpending,
  deleteBudget,
  findExhaustedBudget,
  listBudgets,
  setBudget,
  type BudgetSetter,
} from './budgets/budgets.ts';
export { insertAuditEntry, listAuditEntries, type AuditFilter } from './tenants/audit.ts';
export { recordPartialUsage } from './turns/record-partial-usage.ts';
export { findOrphans, findOrphansOf, type Orphan } from './children/find-orphans.ts';
export { parkParent, type ParkOutcome } from './children/park-parent.ts';
export { readChildren } from './children/read-children.ts';
export { startChildren, type StartOutcome } from './children/start-children.ts';
export { tellAncestors } from './children/tell-ancestors.ts';
export { findParentsToWake, readParents, wakeParents, type WokenParent } from './children/wake-parents.ts';
export { cancelOpenTurns, cancelTurn, type CancelledTurn } from './turns/cancel-turns.ts';
export { reissueJobs, takeUncheckedTurns } from './turns/reissue-jobs.ts';
export { checkDatabase, checkSettings } from './database/check-database.ts';
export { inspectDatabase, type DatabaseFacts } from './database/inspect-database.ts';
export { findUnreadableKeys } from './secrets/find-unreadable-keys.ts';
export { findSchemaProblems, writeSchemaSnapshot, type SchemaFolders } from './schema/check-schema.ts';
export type { SchemaProblem } from './schema/schema-problem.ts';
export { claimTurn, type LeasedTurn } from './turns/claim-turn.ts';
export { giveBackTurn, readHandedTurn, type HandedTurn } from './turns/hand-over.ts';
export {
  claimDelivery,
  listToolsCalled,
  readTurnOfDelivery,
  type ClaimedDelivery,
} from './deliveries/claim-delivery.ts';
export { hasRoomFor, hasRoomForVersion, type Owned } from './tenants/count-owned.ts';
export { pruneEvents } from './events/prune-events.ts';
export { openDatabase, type Database, type DatabaseOptions } from './database/database.ts';
export {
  listDeliveries,
  listDeliveryAttempts,
  readDelivery,
  type DeliveryFilter,
} from './deliveries/deliveries.ts';
export { deleteTenant, listOpenTurns, revokeAllKeys } from './tenants/delete-tenant.ts';
export { exportTenant, type ExportedRow } from './tenants/export-tenant.ts';
export { listTenantTables, type TenantTable } from './tenants/tenant-tables.ts';
export { listDebuggedTenants, setDebug } from './tenants/debug-tenants.ts';
export { dispatchTurns, type DispatchedTurn } from './turns/dispatch-turns.ts';
export { expireLeases, type ExpiredLease } from './turns/expire-leases.ts';
export { expireActions, expireDeadlines, type WaitedTurn } from './turns/expire-waits.ts';
export {
  findSessionLog,
  findSessionPlace,
  findTurnLog,
  type SessionLog,
  type TurnLog,
} from './events/find-event-log.ts';
export { readSessionActivity } from './sessions/session-activity.ts';
export { findRefusal } from './turns/find-refusal.ts';
export { lockStoppedTurn, type StoppedTurn } from './turns/find-resumable.ts';
export { findReadyTenants, findUnreadySessions } from './turns/find-waiting.ts';
export { deadLetterDeliveries, expireDeliveries, purgeDeliveries } from './deliveries/purge-deliveries.ts';
export {
  keyInUse,
  runOnce,
  purgeIdempotencyRecords,
  type IdempotentRequest,
  type StoredResponse,
} from './idempotency/idempotency.ts';
export { listMessages, listSteps, type MessagePosition } from './turns/journal.ts';
export { lookForDeliveries, type DeliveriesFound } from './deliveries/look-for-deliveries.ts';
export { lookForWork, type WorkFound } from './turns/look-for-work.ts';
export { createMemoryStore } from './memory/memory.ts';
export { giveRoleSettings } from './database/role-settings.ts';
export { rolesScript } from './schema/roles-script.ts';
export { migrate, type MigrateOptions } from './schema/migrate.ts';
export { appliedMigrations, requiredMigrations } from './schema/migration-state.ts';
export { endOutage, probeOutages } from './turns/probe-outages.ts';
export { listOwnRetention, purge, PURGEABLE, type Purgeable } from './retention/purge.ts';
export { promoteDelayed } from './turns/promote-delayed.ts';
export { putModelSettings, readModelSettings } from './tenants/model-settings.ts';
export {
  countOpenReceivers,
  pickWaitingDeliveries,
  reissueDeliveryJobs,
  readDeliveryBacklog,
  takeFreshDeliveries,
  takeUncheckedDeliveries,
  type PickedDelivery,
} from './deliveries/pick-deliveries.ts';
export {
  listUserErasures,
  readUserErasure,
  requestUserErasure,
  eraseSessionsOfUser,
} from './users/erase-users.ts';
export { ReadReplica, type ReadSource } from './database/read-replica.ts';
export { readTurnBacklog, type TurnBacklog } from './turns/read-turn-backlog.ts';
export {
  readSessionFacts,
  readTurnFacts,
  type EventPosition,
  type PositionedFact,
} from './events/read-events.ts';
export { readTurnInGroup } from './turns/read-turn-in-group.ts';
export { countTurns, listTurns, readTurn, type TurnFilter } from './turns/read-turns.ts';
export {
  postponeDelivery,
  recordDelivery,
  type AttemptOutcome,
  type AttemptReport,
  type ReceiverBreaker,
  type DisablingRule,
} from './deliveries/record-delivery.ts';
export {
  addPushConfig,
  listPushConfigs,
  readPushCredentials,
  removePushConfig,
} from './deliveries/push-configs.ts';
export { redeliver, redeliverAll } from './deliveries/redeliver.ts';
export { countDataKeys, rewrapDataKeys, type Rewrapped } from './secrets/rewrap-data-keys.ts';
export { releaseTurn } from './turns/release-turn.ts';
export { renewLeases, type RenewedLease } from './turns/renew-leases.ts';
export { reserveCost, type Reservation } from './budgets/reserve-cost.ts';
export { lockSession } from './sessions/lock-session.ts';
export {
  deleteSession,
  insertSession,
  type NewSession,
  listSessions,
  readLockedSession,
  readSession,
  sessionExists,
  updateSession,
} from './sessions/sessions.ts';
export { findCopy, insertFork, type NewFork } from './forks/insert-fork.ts';
export {
  readBeforeStep,
  readForkedMessage,
  readForkedTurn,
  readLastEnded,
  readSizeUpTo,
  readStepType,
  type ForkedTurn,
  type ForkPoint,
} from './forks/fork-point.ts';
export { readEffects, type RepeatedCall } from './forks/read-effects.ts';
export { runPasses, type Passes } from './database/run-passes.ts';
export { inTransaction, savepoint, StoreUnavailableError, transaction, type Sql } from './database/sql.ts';
export {
  deleteSecret,
  findSecrets,
  listSecrets,
  markModelKeys,
  putSecret,
  readSecretEntry,
} from './secrets/secrets.ts';
export { steerTurn } from './turns/steer-turn.ts';
export {
  createTenant,
  findTenantByName,
  findTenants,
  insertTenant,
  listTenants,
  setOperatorKey,
  type TenantRow,
} from './tenants/tenants.ts';
export { changeLimits, readLimits } from './tenants/tenant-limits.ts';
export { listAnnounced, listCodeTools, readCodeTool } from './workers/code-tools.ts';
export { announceBuild, keepBuilds, type AnnouncedTool, type WorkerBuild } from './workers/announce-build.ts';
export {
  listLiveQueues,
  offerElsewhere,
  putAside,
  readWaitingByPool,
  readWaitingForTools,
  takeBackUnconsumed,
  takeUp,
  type StrandedTurn,
} from './workers/stranded-turns.ts';
export { PLAIN, takeBackTurn, type Capability } from './workers/capability.ts';
export { purgeWorkers, removeWorker, type LiveWorker } from './workers/workers.ts';
export { readUsage, type UsageRange } from './budgets/usage.ts';
export { openSecretBox, type SecretBox } from './secrets/secret-box.ts';
export {
  acceptMcpTools,
  insertMcpServer,
  findMcpServersNamed,
  listMcpServers,
  namedMcpServers,
  readMcpServer,
  updateMcpServer,
} from './mcp/mcp-servers.ts';
export { createMcpListStore } from './mcp/mcp-lists.ts';
export {
  findToolsThatSend,
  insertTool,
  listTools,
  namedTools,
  readTool,
  updateTool,
} from './agents/tools.ts';
export { findUsers, type NamedByAgents } from './agents/find-users.ts';
export {
  announceEvent,
  deleteWebhookEndpoint,
  insertWebhookEndpoint,
  listWebhookEndpoints,
  readWebhookEndpoint,
  updateWebhookEndpoint,
} from './deliveries/webhook-endpoints.ts';
export { readWebhookSecrets, replaceWebhookSecret, type SecretOwner } from './deliveries/webhook-secrets.ts';
export {
  abandonFile,
  claimInspection,
  claimUpload,
  completeFile,
  eraseUpload,
  recordInspection,
  returnInspection,
  type InspectedBytes,
} from './files/complete-file.ts';
export {
  deleteExpiredFiles,
  eraseBytes,
  recordErased,
  recordScan,
  retryScan,
  takeErasedBytes,
  takeScans,
  type ErasedBytes,
  type ScannedFile,
} from './files/erase-files.ts';
export {
  CHUNK_BYTES,
  deleteFileChunks,
  readFileChunk,
  sizeOfChunks,
  writeFileChunk,
} from './files/file-chunks.ts';
export { deleteFile, giveFilesToSession, listFiles, lockFiles, readFile, readFiles } from './files/files.ts';
export { insertFile, type FileCaps, type FileRefusal, type NewFile } from './files/insert-file.ts';
export type { FileStorageName, StoredFile } from './files/stored-file.ts';
export {
  deleteBatch,
  insertBatch,
  listBatches,
  moveBatch,
  openBatch,
  readBatch,
  type BatchMove,
} from './batches/batches.ts';
export { insertBatchLines, readBatchResults, type NewLine } from './batches/batch-lines.ts';
export {
  findBatchTenants,
  findTurnsToCancel,
  finishBatches,
  holdBatch,
  lockNextBatch,
  markFedLines,
  readBatchWindow,
  readNextLines,
  setBatchWait,
  settleBatchLines,
  tryLockBatches,
  type FedBatch,
  type FedLine,
  type StoredLine,
} from './batches/feed-batch.ts';
export { abandonBatch, removeBatchLines } from './batches/remove-batches.ts';
export {
  addBatchedCall,
  deleteBatchedCall,
  findBatchedCall,
  leaveBatch,
  pruneBatchedCalls,
  readUnusedCalls,
  wakeBatchedTurns,
  type BatchRoute,
  type UnusedCall,
} from './model-batches/batched-calls.ts';
export {
  beginModelBatch,
  endModelBatch,
  findCallsToBatch,
  findKnownBatches,
  hasBatchedCall,
  openModelBatch,
  pruneModelBatches,
  refuseModelBatch,
  storeBatchResults,
  takeDueBatches,
  undoModelBatch,
  type DueBatch,
  type OpenedBatch,
} from './model-batches/model-batches.ts';
export { lookForBatches } from './model-batches/look-for-batches.ts';
export {
  deleteSchedule,
  insertSchedule,
  listSchedules,
  lockSchedule,
  pauseSchedule,
  readSchedule,
  removeScheduleRuns,
  resumeSchedule,
  updateSchedule,
  type Due,
  type ScheduleChange,
} from './schedules/schedules.ts';
export { listScheduleRuns } from './schedules/schedule-runs.ts';
export {
  advanceSchedule,
  lockDueSchedule,
  readClock,
  readTimeUntilDue,
  recordScheduleRun,
  settleScheduleRuns,
  type DueSchedule,
  type NewRun,
} from './schedules/run-schedule.ts';
export { listOperatorTenants, readOperatorTenant, setTenantPaused } from './operator/operator-tenants.ts';
export {
  listWorkerPools,
  listWorkers,
  pausePool,
  readWorkerPool,
  resumePool,
} from './operator/worker-pools.ts';
