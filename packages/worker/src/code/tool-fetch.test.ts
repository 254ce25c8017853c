import { expect, test } from '@jest/globals';
import { createToolFetch } from './tool-fetch.ts';

const value = 'crm/secret+0123456789';
const bound = [{ name: 'crm_token', value, allowedHosts: ['crm.example'] }];

function openFetch(): { fetch: typeof globalThis.fetch; sent: string[] } {
  const sent: string[] = [];
  const send = (url: string): Promise<Response> => {
    sent.push(url);
    return Promise.resolve(new Response('fine'));
  };
  return { fetch: createToolFetch(send, new AbortController().signal, bound), sent };
}

const ELSEWHERE = 'https://elsewhere.example/';

test.each<[string, string, RequestInit]>([
  ['in a header', ELSEWHERE, { headers: { authorization: `Bearer ${value}` } }],
  ['in a header, encoded', ELSEWHERE, { headers: { authorization: `Basic ${btoa(`me:${value}`)}` } }],
  ['in the URL', `${ELSEWHERE}?token=${encodeURIComponent(value)}`, {}],
  ['in a JSON body', ELSEWHERE, { method: 'POST', body: JSON.stringify({ token: value }) }],
  ['in a form', ELSEWHERE, { method: 'POST', body: new URLSearchParams({ token: value }) }],
  ['late in a long body', ELSEWHERE, { method: 'POST', body: `${'x'.repeat(2_000_000)}${value}` }],
])('a secret that is bound to hosts is not sent elsewhere %s', async (_where, url, init) => {
  const { fetch, sent } = openFetch();
  await expect(fetch(url, init)).rejects.toMatchObject({ code: 'secret_refused' });
  expect(sent).toEqual([]);
});

test('it is sent to its hosts, and what does not hold it is sent anywhere', async () => {
  const { fetch, sent } = openFetch();
  const own = { headers: { authorization: `Bearer ${value}` } };
  expect((await fetch('https://crm.example/', own)).status).toBe(200);
  expect((await fetch(ELSEWHERE, { method: 'POST', body: 'crm' })).status).toBe(200);
  expect(sent).toEqual(['https://crm.example/', ELSEWHERE]);
});
