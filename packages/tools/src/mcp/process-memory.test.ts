import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { afterEach, expect, test } from '@jest/globals';
import { memoryOf, watchMemory } from './process-memory.ts';

const onLinux = process.platform === 'linux' ? test : test.skip;
const MEBIBYTE = 1_048_576;

let stop = (): void => undefined;
afterEach(() => stop());

/** A process whose child holds much memory, and says so. */
async function holding(mebibytes: number) {
  const child = `const held = Buffer.alloc(${mebibytes} * ${MEBIBYTE}, 1); console.log(process.pid); process.stdin.resume(); process.stdin.on('end', () => process.exit(held.length === 0 ? 1 : 0))`;
  const parent = spawn('sh', ['-c', `"${process.execPath}" -e "${child}"; true`], {
    stdio: ['pipe', 'pipe', 'ignore'],
  });
  const [line] = (await once(parent.stdout, 'data')) as [Buffer];
  return { parent, child: Number(line.toString()) };
}

onLinux(
  'the memory of a process has that of what it started, and one that holds too much is told once',
  async () => {
    const { parent, child } = await holding(150);
    const pid = parent.pid ?? 0;
    const { bytes, pids } = await memoryOf(pid);
    expect(pids).toEqual([pid, child]);
    expect(bytes).toBeGreaterThan(150 * MEBIBYTE);
    expect(bytes).toBeLessThan(400 * MEBIBYTE);
    const exceeded = await new Promise<{ pids: number[] }>((resolve) => {
      stop = watchMemory(() => pid, 150 * MEBIBYTE, resolve);
    });
    expect(exceeded.pids).toEqual([pid, child]);
    parent.stdin.end();
    await once(parent, 'exit');
    expect(await memoryOf(pid)).toEqual({ bytes: 0, pids: [] });
  },
);
