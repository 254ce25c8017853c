import {
  DEFAULT_WEBHOOK_EVENTS,
  ProblemError,
  type WebhookEventType,
  type WebhookFormat,
} from '@turnpike/contract';
import { OPENAI_WEBHOOK_EVENTS } from '@turnpike/dialect-openai';

/**
 * The events of an endpoint: those that were asked for, or the default of its format. Throws `invalid_request` for one
 * that the format has no word for.
 */
export function eventsOf(
  format: WebhookFormat,
  asked: readonly WebhookEventType[] | undefined,
): readonly WebhookEventType[] {
  if (format === 'turnpike') return asked ?? DEFAULT_WEBHOOK_EVENTS;
  if (asked === undefined) return OPENAI_WEBHOOK_EVENTS;
  const issues = asked.flatMap((type, index) =>
    OPENAI_WEBHOOK_EVENTS.includes(type)
      ? []
      : [{ path: `events.${index}`, message: 'has no form in `format: "openai"`' }],
  );
  if (issues.length > 0) throw new ProblemError('invalid_request', 'The body is not valid.', { issues });
  return asked;
}
