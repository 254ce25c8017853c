export { claudeAgentsDialect } from './claude-agents-dialect.ts';
export { EVENT_ROWS, FIELD_ROWS, OTHER_RESOURCES, ROUTE_ROWS } from './conformance.ts';
