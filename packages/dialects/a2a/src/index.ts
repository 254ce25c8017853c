export { a2aDialect } from './a2a-dialect.ts';
export { composeNotification } from './notification.ts';
export { FIELD_ROWS, METHOD_ROWS } from './conformance.ts';
