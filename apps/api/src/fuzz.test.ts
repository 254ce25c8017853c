import { Agent } from 'node:http';
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { PROBLEMS, problemSchema } from '@turnpike/contract';
import { byLength } from '../../../tests/support/test-length.ts';
import { createTestDatabase } from '../../../tests/support/test-database.ts';
import { startTestApi, type TestApi } from './testing/test-api.ts';
import { makeRequest, type FuzzRequest } from './testing/fuzz/make-request.ts';
import { Random } from './testing/fuzz/random.ts';
import { sendRequest, type FuzzResponse } from './testing/fuzz/send-request.ts';
import { readDocument, type ApiDocument } from './testing/read-operations.ts';
import { foreignId, type TenantThings } from './testing/tenant-things.ts';
import { needEverything, tenantWithThings } from './testing/tenant-with-things.ts';

/**
 * `FUZZ_SEED` repeats a run, `FUZZ_REQUESTS` makes it longer. Apart from the ids in it, a request depends on the seed
 * and its number alone.
 */
const SEED = Number(process.env['FUZZ_SEED'] ?? Math.floor(Math.random() * 2 ** 31));
const REQUESTS = Number(process.env['FUZZ_REQUESTS'] ?? byLength({ short: 1_200, long: 4_000 }));
/** After this many a new tenant starts with one of everything: the one before has deleted what it had. */
const REQUESTS_OF_TENANT = 400;
const AT_ONCE = 8;

let api: TestApi;
let document: ApiDocument;
let theirs: TenantThings;
const agent = new Agent({ keepAlive: true, maxSockets: AT_ONCE });

beforeAll(async () => {
  api = await startTestApi(await createTestDatabase(), { backplaneUrl: process.env['TEST_REDIS_URL'] });
  document = await readDocument(api.url);
  theirs = await tenantWithThings(api, document);
  await needEverything(theirs, document);
});

afterAll(async () => {
  agent.destroy();
  await api.stop();
});

test(`no request gets a 5xx or anything of another tenant, and every error is a problem (FUZZ_SEED=${SEED})`, async () => {
  process.stderr.write(`${REQUESTS} requests with FUZZ_SEED=${SEED}\n`);
  const failures: string[] = [];
  const statuses = new Map<number, number>();
  for (let first = 0; first < REQUESTS; first += REQUESTS_OF_TENANT) {
    const mine = await tenantWithThings(api, document);
    // A key that may be revoked: not the one that requests are sent with.
    mine.known.delete('key');
    await needEverything(mine, document);
    const numbers = Array.from(
      { length: Math.min(REQUESTS_OF_TENANT, REQUESTS - first) },
      (_, index) => first + index,
    );
    const work = async (): Promise<void> => {
      for (let number = numbers.shift(); number !== undefined; number = numbers.shift()) {
        const request = requestOf(number, mine);
        const response = await sendRequest({ url: api.url, apiKey: mine.client.apiKey, agent }, request);
        statuses.set(response.status, (statuses.get(response.status) ?? 0) + 1);
        const mistake = mistakeIn(request, response);
        if (mistake !== null) failures.push(describeFailure(number, mistake, request, response));
      }
    };
    await Promise.all(Array.from({ length: AT_ONCE }, work));
  }
  expect(failures).toEqual([]);
  expect(api.errors).toEqual([]);
  // Some requests were accepted, and some were refused.
  const share = (from: number): number =>
    [...statuses].reduce(
      (sum, [status, count]) => (Math.floor(status / 100) === from ? sum + count : sum),
      0,
    ) / REQUESTS;
  expect(share(2)).toBeGreaterThan(0.1);
  expect(share(4)).toBeGreaterThan(0.1);
}, 3_600_000);

function requestOf(number: number, mine: TenantThings): FuzzRequest {
  const random = new Random(SEED + number * 7_919);
  const operation = document.operations[number % document.operations.length];
  if (operation === undefined) throw new Error('The document has no operations.');
  const idOf = (prefix: string): string => {
    const known = mine.known.get(prefix) ?? `${prefix}_01kapjt9e8f7ga5vxq3c2m4n6r`;
    // Deletes are rare: every later request lacks what they delete.
    if (random.chance(operation.method === 'delete' ? 0.9 : 0.05)) return foreignId(known);
    return random.chance(0.15) ? (theirs.known.get(prefix) ?? known) : known;
  };
  return makeRequest(operation, { random, document, idOf, odd: { places: random.pick([0, 1, 1, 1, 2]) } });
}

/** What is wrong with a response; null where nothing is. */
function mistakeIn(
  { operation, path, body }: FuzzRequest,
  { status, type, text }: FuzzResponse,
): string | null {
  if (status >= 500) return 'is answered with 5xx';
  if (status >= 400) {
    const problem = type.startsWith('application/problem+json')
      ? problemSchema.safeParse(JSON.parse(text)).data
      : undefined;
    if (problem === undefined) return 'is an error that is no problem';
    return PROBLEMS[problem.code].status === status ? null : 'has a code of another status';
  }
  const sent = `${path} ${String(body)}`;
  const named = [...theirs.known.values()].filter((id) => sent.includes(id));
  // Filters and cursors may name anything: they find nothing.
  const isAccepted = named.length > 0 && !(operation.method === 'get' && path.includes('?'));
  if (isAccepted) return "names another tenant's id, and is accepted";
  const shown = [theirs.client.tenantId, ...theirs.known.values()].find(
    (id) => !named.includes(id) && text.includes(id),
  );
  return shown === undefined ? null : `is answered with another tenant's ${shown}`;
}

function describeFailure(
  number: number,
  mistake: string,
  request: FuzzRequest,
  response: FuzzResponse,
): string {
  const { operation, path, headers, body } = request;
  const lines = [
    `Request ${number} ${mistake}: ${response.status} ${response.text.slice(0, 300)}`,
    `${operation.method.toUpperCase()} ${path.slice(0, 500)} ${JSON.stringify(headers)}`,
    String(body ?? '').slice(0, 1_000),
    ...causesIn(response),
  ];
  return lines.join('\n');
}

/** Internal errors that the service logged. */
function causesIn({ status, text }: FuzzResponse): string[] {
  const { request_id: id } = status < 500 ? { request_id: null } : problemSchema.parse(JSON.parse(text));
  return api.logLines.filter((line) => id !== null && line.includes(id)).map((line) => line.slice(0, 2_000));
}
