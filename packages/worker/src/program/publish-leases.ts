import type { Backplane } from '@turnpike/backplane';
import { isFinal, isSettled, type TypedEmitter } from '@turnpike/contract';
import type { Database } from '@turnpike/store';
import {
  announceTurns,
  settleFamilies,
  tellFamilies,
  type Dispatcher,
  type Lease,
  type LeaseEvents,
} from '@turnpike/turns';
import type { LeaseObserver } from './observe-leases.ts';

/** Tells other processes what happens to leases: those that stream a turn, wait for it, or may run the next one. */
export function publishLeases(
  events: TypedEmitter<LeaseEvents>,
  {
    database,
    backplane,
    dispatcher,
    observer,
  }: { database: Database; backplane: Backplane; dispatcher: Dispatcher; observer: LeaseObserver },
): void {
  const { live } = backplane;
  const showProgress = (lease: Lease): void => {
    const { sessionId, id: turnId } = lease.turn;
    live.changed({ sessionId, turnId, eventCount: lease.eventCount });
  };
  events
    .on('claimed', (lease) => {
      if (lease.turn.othersReady) dispatcher.changed({ tenantId: lease.turn.tenantId });
      showProgress(lease);
    })
    .on('committed', showProgress)
    .on('childrenStarted', ({ turn }) => dispatcher.added(turn.tenantId))
    .on('preview', ({ turn }, { stepIndex, attempt, text }) => {
      live.show({ sessionId: turn.sessionId, turnId: turn.id, stepIndex, attempt, text });
    })
    .on('progress', ({ turn }, progress) => {
      live.showProgress({ sessionId: turn.sessionId, turnId: turn.id, ...progress });
    })
    .on('ended', (lease, status, othersMayRun) => {
      const { id: turnId, sessionId, tenantId } = lease.turn;
      live.endPreview(turnId);
      if (status === null) return;
      if (othersMayRun) dispatcher.changed({ sessionId, tenantId });
      const hasFamily = lease.turn.parentTurnId !== null || lease.hasChildren;
      if (hasFamily) {
        const follow = isFinal(status) ? settleFamilies : tellFamilies;
        follow({ database, backplane, dispatcher }, [turnId]).catch((error: unknown) => {
          const { logger } = observer.of(lease);
          logger.warn('What follows for parent and child turns could not be done; it is done later.', {
            error,
          });
        });
      }
      if (!isSettled(status)) return;
      announceTurns(backplane, [{ turn_id: turnId, status }]).catch((error: unknown) => {
        const { logger } = observer.of(lease);
        logger.warn('The end of a turn could not be announced; waiting clients see it later.', {
          status,
          error,
        });
      });
    });
}
