import { execFileSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { expect, test } from '@jest/globals';

const LOGGER = fileURLToPath(new URL('../dist/logger.js', import.meta.url));

test('a process that ends at once has written all its lines, in order', () => {
  const program = `
    const { createLogger } = await import(${JSON.stringify(LOGGER)});
    const logger = createLogger({ service: 'trial', level: 'info', format: 'json' });
    for (let line = 0; line < 1000; line += 1) logger.info(String(line));
    process.exit(3);`;
  let text = '';
  try {
    execFileSync(process.execPath, ['--input-type=module', '-e', program], { encoding: 'utf8' });
  } catch (error) {
    text = (error as { stdout: string }).stdout;
  }
  const lines = text.split('\n').slice(0, -1);
  expect(lines.map((line) => (JSON.parse(line) as { message: string }).message)).toEqual(
    Array.from({ length: 1_000 }, (_none, line) => String(line)),
  );
});
