export type { Model, OutputValidator, ToolRunner, TurnLease } from './ports.ts';
export { runTurn } from './run-turn.ts';
export type { TurnParts } from './turn-run.ts';
