export type { Backplane, ConsumeOptions, Signal, TurnConsumer, TurnHint } from './backplane.ts';
export { BackplaneUnavailableError } from './errors.ts';
export { openBackplane, type BackplaneOptions } from './open-backplane.ts';
