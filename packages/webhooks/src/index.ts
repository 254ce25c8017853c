export { Deliverer, type DelivererParts, type DelivererSettings } from './deliver.ts';
export { DEFAULT_RETRY_SCHEDULE, retryScheduleSchema } from './retry-schedule.ts';
export { makeSigningSecret } from './signing-secret.ts';
