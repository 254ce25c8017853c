export {
  acceptTurn,
  acceptTurnOnce,
  acceptTurnWithSession,
  acceptTurnWithSessionOnce,
  tooManySessions,
  type Acceptance,
  type Caps,
} from './accept-turn.ts';
export { answerAction } from './answer-action.ts';
export { cancelTurn } from './cancel-turn.ts';
export { Dispatcher, type Change } from './dispatcher.ts';
export { LeaseKeeper, type LeaseKeeperParts } from './lease-keeper.ts';
export { Lease, type LeaseEvents, type TextPreview } from './lease.ts';
export { Reconciliation, type ReconcileSettings, type Repairs } from './reconcile.ts';
export { resumeTurn } from './resume-turn.ts';
export { retentionSettings, retentionVariables, type RetentionSettings } from './retention-settings.ts';
export { startReconciler } from './reconciler.ts';
export { TRANSITIONS } from './transitions.ts';
export { announceTurns, watchTurns, type TurnSignal } from './turn-signals.ts';
