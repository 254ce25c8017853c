export type { Backplane, ConsumeOptions, Signal, TurnConsumer } from './backplane.ts';
export { BackplaneUnavailableError } from './errors.ts';
export { openBackplane, type BackplaneOptions } from './open-backplane.ts';
export type { TurnHint } from './turn-hint.ts';
