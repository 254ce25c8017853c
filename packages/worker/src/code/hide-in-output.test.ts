import { expect, test } from '@jest/globals';
import { hideInBlocks } from './hide-in-output.ts';

const secret = 'crm-secret-0123456789';
const text = (...texts: string[]) => texts.map((one) => ({ type: 'text', text: one }));
const said = (blocks: readonly Readonly<Record<string, unknown>>[]): string =>
  blocks.map((block) => String(block['text'])).join('');

test('a secret is hidden that is divided among blocks of text, but not across another block', () => {
  expect(said(hideInBlocks(text('a crm-sec', 'ret-01', '23456789 b'), [secret]))).toMatch(
    /^a (\[secret\])+ b$/,
  );
  const image = { type: 'image', source: { type: 'url', url: `https://a.invalid/?key=${secret}` } };
  const [before, between, after] = hideInBlocks([...text('crm-sec'), image, ...text('ret')], [secret]);
  expect([before, after]).toEqual(text('crm-sec', 'ret'));
  expect(between).toMatchObject({ source: { url: 'https://a.invalid/?key=[secret]' } });
});

test('media whose bytes hold a secret are left out, and others stay as they are', () => {
  const media = (bytes: string) => ({
    type: 'image',
    source: { type: 'base64', media_type: 'image/png', data: btoa(bytes) },
  });
  expect(hideInBlocks([media(`png ${secret}`), media('png')], [secret])).toEqual([
    { type: 'text', text: '[left out: image, since it holds a secret]' },
    media('png'),
  ]);
});

test('a long output takes as long as its beginning, and nothing that is shown holds a secret', () => {
  const long = 'said\\nhello '.repeat(1_000_000);
  const began = performance.now();
  const [clean] = hideInBlocks(text(`${secret}${long}${secret}`), [secret]);
  // All of it takes ten times as long.
  expect(performance.now() - began).toBeLessThan(5_000);
  expect(clean?.text).toHaveLength(long.length + '[secret]'.length + secret.length);
  expect(said(hideInBlocks(text(secret.repeat(30_000)), [secret]))).not.toContain('crm');
});
