export { callTool, say, type ScriptedReply } from './script.ts';
export { crashAt, type CrashPlace, type CrashPoint } from './crash-points.ts';
export { crashEverywhere, type CrashEverywhereOptions } from './crash-everywhere.ts';
export { runTurn } from './run-turn.ts';
export type { Answer, RunOptions, WaitingCall } from './run-options.ts';
export type { TestedCall, TestedTurn } from './tested-turn.ts';
