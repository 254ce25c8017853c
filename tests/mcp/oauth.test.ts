import { generateKeyPairSync } from 'node:crypto';
import { afterAll, beforeAll, beforeEach, expect, test } from '@jest/globals';
import { Cluster } from '../support/cluster.ts';
import { AuthServer } from './support/auth-server.ts';
import { callsOf, callTools, outputOf, registerServer } from './support/mcp-cluster.ts';
import { FixtureServer } from './support/mcp-server.ts';

const SECRET = 'client-secret-0123456789';
const { privateKey, publicKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });

let cluster: Cluster;
let fixture: FixtureServer;
let login: AuthServer;
let thief: AuthServer;

beforeAll(async () => {
  cluster = await Cluster.join();
  fixture = await FixtureServer.start();
  login = await AuthServer.start({ secret: SECRET, publicKey });
  thief = await AuthServer.start({ secret: SECRET, publicKey });
  fixture.token = login.token;
  const pem = privateKey.export({ type: 'pkcs8', format: 'pem' });
  await cluster.request('PUT', '/v1/secrets/client_secret', { value: SECRET });
  await cluster.request('PUT', '/v1/secrets/client_key', { value: pem });
  const host = login.issuer.replace('http://', '');
  await cluster.request('PUT', '/v1/secrets/bound_secret', { value: SECRET, allowed_hosts: [host] });
});
beforeEach(() => {
  fixture.authorizationServer = login.issuer;
  login.tokenEndpoint = `${login.issuer}/token`;
  login.asked.splice(0);
  thief.asked.splice(0);
});
afterAll(async () => {
  await fixture.stop();
  login.stop();
  thief.stop();
  await cluster.stop();
});

const auth = (more: object) => ({ auth: { issuer: login.issuer, client_id: 'turnpike', ...more } });
const withSecret = (secret: string) => auth({ type: 'client_credentials', client_secret: { secret } });
const withKey = () =>
  auth({ type: 'private_key_jwt', algorithm: 'ES256', private_key: { secret: 'client_key' } });

/** What a call of a server with this configuration gives the model. */
async function callWith(name: string, config: Record<string, unknown>): Promise<string> {
  await registerServer(cluster, name, fixture.url, config);
  const { id } = await cluster.createAgent({ tools: [{ type: 'mcp', server: name }] });
  const turn = await callTools(cluster, id, [{ name: `${name}__lookup` }]);
  await cluster.untilEnded(turn.id);
  return outputOf(cluster, turn.id);
}

test('a server is called with a token that is asked for with client credentials', async () => {
  expect(await callWith('credentials', withSecret('client_secret'))).toBe('lookup k');
  expect(new Set(login.asked)).toEqual(new Set(['secret']));
});

test('a server is called with a token that is asked for with a signed assertion', async () => {
  expect(await callWith('assertion', withKey())).toBe('lookup k');
  expect(new Set(login.asked)).toEqual(new Set(['assertion']));
});

test('the secrets in headers go to the MCP server, and not to the authorization server', async () => {
  login.headers.splice(0);
  const headers = { 'X-Key': { secret: 'client_key_2' } };
  await cluster.request('PUT', '/v1/secrets/client_key_2', { value: 'header-secret-0123456789' });
  expect(await callWith('both', { ...withSecret('client_secret'), headers })).toBe('lookup k');
  expect(fixture.requests.some((request) => request.headers['x-key'] === 'header-secret-0123456789')).toBe(
    true,
  );
  expect(login.headers.length).toBeGreaterThan(0);
  expect(JSON.stringify(login.headers)).not.toContain('header-secret');
});

test('an authorization server that the MCP server names, and the configuration does not, gets no credentials', async () => {
  fixture.authorizationServer = thief.issuer;
  expect(await callWith('led_astray', withSecret('client_secret'))).toContain('There is no tool');
  expect(thief.asked).toEqual([]);
});

test('credentials that are bound to hosts are sent to no token endpoint elsewhere', async () => {
  login.tokenEndpoint = `${thief.issuer}/token`;
  expect(await callWith('bound', withSecret('bound_secret'))).toContain('There is no tool');
  expect(thief.asked).toEqual([]);
  login.tokenEndpoint = `${login.issuer}/token`;
  expect(await callWith('bound_well', withSecret('bound_secret'))).toBe('lookup k');
});

test('a token that the server takes no longer is replaced, and a call that acts once is made once', async () => {
  await registerServer(cluster, 'rotates', fixture.url, withSecret('client_secret'));
  const { id } = await cluster.createAgent({ tools: [{ type: 'mcp', server: 'rotates' }] });
  const pay = async (): Promise<string> => {
    const turn = await callTools(cluster, id, [{ name: 'rotates__pay' }]);
    await cluster.untilEnded(turn.id);
    return outputOf(cluster, turn.id);
  };
  expect(await pay()).toBe('pay k');
  login.token = 'another-token-of-the-server-0123456789';
  fixture.token = login.token;
  const before = fixture.countOf('pay');
  expect([await pay(), fixture.countOf('pay') - before]).toEqual(['pay k', 1]);
});

test('a call that was refused for its token, where no other can be had, has not acted: its outcome is known', async () => {
  await registerServer(cluster, 'locked', fixture.url, withSecret('client_secret'));
  const { id } = await cluster.createAgent({ tools: [{ type: 'mcp', server: 'locked' }] });
  const pay = async () => {
    const turn = await callTools(cluster, id, [{ name: 'locked__pay' }]);
    await cluster.untilEnded(turn.id);
    return (await callsOf(cluster, turn.id))[0];
  };
  expect((await pay())?.is_error).toBe(false);
  const before = fixture.countOf('pay');
  fixture.token = 'a-third-token-of-the-server-0123456789';
  login.isDown = true;
  const call = await pay();
  expect([call?.status, call?.is_error, fixture.countOf('pay') - before]).toEqual(['completed', true, 0]);
  login.isDown = false;
  login.token = fixture.token;
  expect([(await pay())?.is_error, fixture.countOf('pay') - before]).toEqual([false, 1]);
});
