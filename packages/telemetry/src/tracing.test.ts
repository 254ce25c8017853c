import { expect, test } from '@jest/globals';
import { z } from 'zod';
import { untilTrue } from '../../../tests/support/until-true.ts';
import { openTracing } from './tracing.ts';
import { tracingSettings, tracingVariables } from './tracing-settings.ts';

const schema = z.object(tracingVariables);
const settingsOf = (environment: Record<string, string>) => tracingSettings(schema.parse(environment));
const ENDPOINT = 'http://127.0.0.1:9';

test('nothing is traced without a collector, nor where the OpenTelemetry SDK is disabled', async () => {
  expect(settingsOf({})).toBeNull();
  expect(settingsOf({ OTEL_EXPORTER_OTLP_ENDPOINT: ENDPOINT, OTEL_SDK_DISABLED: 'true' })).toBeNull();
  const tracing = await openTracing(null, 'trial', () => undefined);
  const span = tracing.start('work', { kind: 'internal' });
  expect(span.traceparent).toBeNull();
  span.end();
  await tracing.close();
});

test('headers for the collector are secrets, and an invalid one is refused without being quoted', () => {
  const settings = settingsOf({
    OTEL_EXPORTER_OTLP_ENDPOINT: ENDPOINT,
    OTEL_EXPORTER_OTLP_HEADERS: 'Authorization=Basic%20abc, x-key=swordfish',
  });
  expect(settings?.headers['authorization']?.reveal()).toBe('Basic abc');
  expect(JSON.stringify(settings)).not.toContain('swordfish');
  const refused = schema.safeParse({ OTEL_EXPORTER_OTLP_HEADERS: 'swordfish' });
  expect(refused.success).toBe(false);
  expect(refused.error?.message).not.toContain('swordfish');
});

test('a span continues the trace of its parent, and begins a new one for an invalid traceparent', async () => {
  const tracing = await openTracing(
    settingsOf({ OTEL_EXPORTER_OTLP_ENDPOINT: ENDPOINT }),
    'trial',
    () => undefined,
  );
  const parent = '00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01';
  const traceOf = (text: string): string | undefined =>
    tracing.start('work', { kind: 'internal', parent: text }).traceparent?.split('-')[1];
  expect(traceOf(parent)).toBe('0af7651916cd43dd8448eb211c80319c');
  for (const bad of ['', 'x', `${parent}-more`, parent.replace(/[1-9a-f]/g, '0'), parent.toUpperCase()]) {
    expect(traceOf(bad)).toMatch(/^[0-9a-f]{32}$/);
    expect(traceOf(bad)).not.toBe('0af7651916cd43dd8448eb211c80319c');
  }
  await tracing.close();
});

test('a collector that is away is reported once, and closing does not wait for it', async () => {
  const errors: unknown[] = [];
  const tracing = await openTracing(settingsOf({ OTEL_EXPORTER_OTLP_ENDPOINT: ENDPOINT }), 'trial', (error) =>
    errors.push(error),
  );
  tracing.start('work', { kind: 'internal' }).end();
  await tracing.close();
  await untilTrue('it is reported', () => errors.length > 0);
  expect(errors).toHaveLength(1);
});
