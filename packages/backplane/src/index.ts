export type { Backplane, ConsumeOptions, HintConsumer, Hints, Signal } from './backplane.ts';
export type { DeliveryHint } from './delivery-hint.ts';
export { BackplaneUnavailableError } from './errors.ts';
export { openBackplane, type BackplaneOptions } from './open-backplane.ts';
export type { Live, LiveFact, LiveNews, LivePreview, LiveText } from './live.ts';
export type { TurnHint } from './turn-hint.ts';
