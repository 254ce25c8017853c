import { readFileSync } from 'node:fs';
import Anthropic from '@anthropic-ai/sdk';
import { expect, test } from '@jest/globals';
import { createAgentParams, updateAgentParams } from './agent-params.ts';
import { claudeAgentsDialect } from './claude-agents-dialect.ts';
import { EVENT_ROWS, EVENT_TYPES, FIELD_ROWS, OTHER_RESOURCES, ROUTE_ROWS } from './conformance.ts';
import { sendParams } from './event-params.ts';
import { createSessionParams, updateSessionParams } from './session-params.ts';

const types = ['agents/agents', 'sessions/sessions', 'sessions/events']
  .map(
    (name) =>
      new URL(`../../../../node_modules/@anthropic-ai/sdk/resources/beta/${name}.d.ts`, import.meta.url),
  )
  .map((url) => readFileSync(url, 'utf8').replaceAll(/\/\*\*.*?\*\//gs, ''))
  .join('\n');

/** The fields of an object of the SDK's types. */
function fieldsOf(name: string): string[] {
  const body =
    new RegExp(`export interface ${name}(?: extends \\w+)? \\{(.*?)\\n\\}`, 's').exec(types)?.[1] ?? '';
  return [...body.matchAll(/^ {4}(?: {4})?(?:'([^']+)'|(\w+))\??:/gm)].map(
    ([, quoted, plain]) => quoted ?? plain ?? '',
  );
}

test('the table has every field of these objects, and no other', () => {
  for (const [name, rows] of Object.entries(FIELD_ROWS))
    expect([name, Object.keys(rows).toSorted()]).toEqual([name, fieldsOf(name).toSorted()]);
});

test('the table has every type of event', () => {
  const union = /export type BetaManagedAgentsSessionEventType = ([^;]+);/.exec(types)?.[1] ?? '';
  const known = [...union.matchAll(/'([^']+)'/g)].map(([, type = '']) => type);
  expect(known.length).toBeGreaterThan(30);
  expect([...EVENT_TYPES].toSorted()).toEqual(known.toSorted());
  expect(Object.keys(EVENT_ROWS).toSorted()).toEqual([...known, 'session.deleted'].toSorted());
});

const methodsOf = (resource: object): string[] =>
  Object.getOwnPropertyNames(Object.getPrototypeOf(resource)).filter((name) => name !== 'constructor');
const resourcesOf = (resource: object): string[] =>
  Object.keys(resource).filter((name) => name !== '_client');

test('the table has every method of agents and sessions, each with its route, and every other resource', () => {
  const { beta } = new Anthropic({ apiKey: 'none', baseURL: 'http://localhost:1' });
  const resources = {
    agents: beta.agents,
    'agents.versions': beta.agents.versions,
    sessions: beta.sessions,
    'sessions.events': beta.sessions.events,
  };
  const methods = Object.entries(resources).flatMap(([name, resource]) =>
    methodsOf(resource).map((method) => `${name}.${method}`),
  );
  expect(Object.keys(ROUTE_ROWS).toSorted()).toEqual(methods.toSorted());
  const others = [
    ...resourcesOf(beta),
    ...resourcesOf(beta.sessions).map((name) => `sessions.${name}`),
    ...resourcesOf(beta.agents).map((name) => `agents.${name}`),
  ].filter((name) => !(name in resources));
  expect(Object.keys(OTHER_RESOURCES).toSorted()).toEqual(others.toSorted());
  const served = claudeAgentsDialect.routes.map(
    ({ method, path }) =>
      `${method.toUpperCase()} ${path.replace('/claude', '').replaceAll(/:(\w+)/g, '{$1}')}`,
  );
  const listed = Object.values(ROUTE_ROWS).flatMap(({ route }) => (route === '' ? [] : [route]));
  expect(served.toSorted()).toEqual(listed.toSorted());
});

test('each field of a body is known, and refused where the table says so', () => {
  const bodies = {
    AgentCreateParams: createAgentParams,
    AgentUpdateParams: updateAgentParams,
    SessionCreateParams: createSessionParams,
    SessionUpdateParams: updateSessionParams,
    EventSendParams: sendParams,
  };
  const least: Record<string, object> = {
    AgentCreateParams: { name: 'Support', model: 'claude-sonnet-4-5' },
    SessionCreateParams: { agent: 'agent_01kapjt9e8f7ga5vxq3c2m4n6r', environment_id: 'env_1' },
  };
  for (const [name, schema] of Object.entries(bodies)) {
    const rows = Object.entries(FIELD_ROWS[name] ?? {}).filter(
      ([field]) => field !== 'betas' && field !== 'workspace_id',
    );
    expect([name, Object.keys(schema.shape).toSorted()]).toEqual([
      name,
      rows.map(([field]) => field).toSorted(),
    ]);
    for (const [field, { fate }] of rows) {
      if (fate !== 'refused') continue;
      const body = { ...least[name], [field]: ['given'] };
      expect([name, field, schema.safeParse(body).success]).toEqual([name, field, false]);
    }
  }
});
