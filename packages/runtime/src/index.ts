export { openRuntime } from './open-runtime.ts';
export type { RunningProgram, Runtime } from './runtime.ts';
export { runProgram } from './run-program.ts';
export { runtimeSettings, runtimeVariables, type RuntimeSettings } from './settings.ts';
