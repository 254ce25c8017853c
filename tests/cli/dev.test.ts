import { existsSync, mkdirSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { beforeAll, expect, test } from '@jest/globals';
import { SimControl } from '@turnpike/model-sim';
import { Turnpike, type Turn } from '@turnpike/client';
import { untilTrue } from '../support/until-true.ts';
import type { CommandLine } from './command-line.ts';
import { LIMIT_MS, useProject } from './use-project.ts';

const REPOSITORY = fileURLToPath(new URL('../../', import.meta.url));

const project = useProject();
let line: CommandLine;
let turnpike: Turnpike;
let control: SimControl;

function write(file: string, text: string): void {
  mkdirSync(dirname(join(project.folder, file)), { recursive: true });
  writeFileSync(join(project.folder, file), text);
}

/** `wait` ends when the file `release` is there; both tools say which code they are of. */
const toolsOf = (code: string): string => `import { existsSync } from 'node:fs';
import { setTimeout as delay } from 'node:timers/promises';
import { defineTool } from '@turnpike/worker';
import { z } from 'zod';
import { nothing } from './nothing.js';

enum Code {
  Name = '${code}',
}
export const tell = defineTool({
  name: 'tell',
  description: 'Tells which code it is of.',
  input: nothing,
  effect: 'read',
  run: () => \`tell of \${Code.Name}\`,
});
export const wait = defineTool({
  name: 'wait',
  description: 'Waits.',
  input: z.object({}),
  effect: 'once',
  timeoutMs: 600_000,
  async run(_input: object, call) {
    while (!existsSync('release')) await delay(20, undefined, { signal: call.signal });
    return \`wait of \${Code.Name}\`;
  },
});
`;
const CONFIG = `import { defineAgent, defineConfig } from '@turnpike/worker';
import { tell, wait } from './src/tools.ts';

export default defineConfig({
  agents: [defineAgent({ name: 'coder', model: 'claude-haiku-5-5', tools: [tell, wait] })],
});
`;

beforeAll(() => {
  mkdirSync(join(project.folder, 'node_modules/@turnpike/worker'), { recursive: true });
  // As it is published.
  write('node_modules/@turnpike/worker/package.json', '{ "type": "module", "exports": "./index.js" }');
  const library = JSON.stringify(join(REPOSITORY, 'dist/program/worker-library.js'));
  write('node_modules/@turnpike/worker/index.js', `export * from ${library};\n`);
  symlinkSync(join(REPOSITORY, 'node_modules/zod'), join(project.folder, 'node_modules/zod'));
  write('package.json', '{ "private": true, "type": "module" }');
  write('src/nothing.ts', `import { z } from 'zod';\nexport const nothing: z.ZodObject = z.object({});\n`);
  write('src/tools.ts', toolsOf('one'));
  write('turnpike.config.ts', CONFIG);
  write('agents/plain.yaml', 'name: plain\nmodel: claude-haiku-5-5\n');
});

async function submit(input: string): Promise<Turn> {
  const { items } = await turnpike.agents.list().page();
  const agent = items.find(({ name }) => name === 'coder');
  return turnpike.turns.submit({ agent_id: agent?.id ?? '', input });
}

const textOf = async (input: string): Promise<string | null> =>
  (await turnpike.turns.wait((await submit(input)).id)).output_text;

test(
  'dev serves the tools of turnpike.config.ts as TypeScript, makes its agents, and shows turns as they run',
  async () => {
    // Long enough for a turn that is in no tool.
    line = project.dev({ DRAIN_MS: '1000' });
    await line.untilUp();
    expect(line.output).toMatch(/Project +turnpike\.config\.ts: tell, wait\n/);
    expect(line.output).toMatch(/\+ agent plain \(agents\/plain\.yaml\): new\n/);
    expect(line.output).toMatch(
      /\+ agent coder \(turnpike\.config\.ts\): new\n[^]*applied +coder, version 1\n/,
    );
    turnpike = new Turnpike({ baseUrl: line.found(/API +(http:\S+)/), apiKey: await line.key() });
    control = new SimControl(line.found(/Model +(http:[^,]+),/));
    const replies = [[{ name: 'tell', input: {} }], [{ name: 'tell', input: {} }], null];
    await control.setScript({
      rules: [
        { match: { text: 'Wait', step: 0 }, reply: { tool_uses: [{ name: 'wait', input: {} }] } },
        ...replies.slice(1).map((calls, index) => ({
          match: { text: 'Wait', step: index + 1 },
          reply: calls === null ? { text: '{{tool_result}}' } : { tool_uses: calls },
        })),
        { match: { text: 'Tell', step: 0 }, reply: { tool_uses: [{ name: 'tell', input: {} }] } },
        { match: { text: 'Tell', step: 1 }, reply: { text: '{{tool_result}}' } },
      ],
    });
    expect(await textOf('Tell.')).toBe('tell of one');
    await line.untilSaid('completed ');
    expect(line.output).toMatch(
      /\d\d:\d\d:\d\d +coder +…\w{4} +accepted +turn_\w+\n.* calls +tell \{\}\n.* tool +tell: tell of one\n.* text +tell of one\n.* completed +[\d.]+ s, \d+ tokens, \$\d\.\d{4}\n/,
    );
  },
  LIMIT_MS,
);

test(
  'commands beside it find the project, the installation and its agents',
  async () => {
    expect(await project.turnpike('apply', '--check')).toMatchObject({
      code: 0,
      output: expect.stringMatching(/^Nothing to change: 2 agents at http/),
      reportedErrors: '',
    });
    expect(await project.turnpike('run', 'coder', 'Tell.')).toMatchObject({
      code: 0,
      output: 'tell of one\n',
    });
    expect(await project.turnpike('run', 'nobody', 'Tell.')).toMatchObject({
      code: 1,
      reportedErrors: 'turnpike: There is no agent nobody. There are: coder, plain.\n',
    });
  },
  LIMIT_MS,
);

test(
  'a saved file serves new turns, while a turn that runs finishes on the code before, with every call',
  async () => {
    const waiting = await submit('Wait.');
    await untilTrue('the tool waits', () => isRunning(waiting.id));
    write('src/tools.ts', toolsOf('two'));
    await line.untilSaid('reloaded     src/tools.ts in');
    expect(await textOf('Tell.')).toBe('tell of two');
    expect((await turnpike.turns.get(waiting.id)).status).toBe('in_progress');
    write('release', '');
    const ended = await turnpike.turns.wait(waiting.id);
    expect(ended).toMatchObject({ status: 'completed', output_text: 'tell of one', attempts: 1 });
    await untilTrue('the worker with the old code has ended', () => workers().length === 1);
  },
  LIMIT_MS,
);

test(
  'code that is broken is named with file and line, the code before it serves on, and mended code is loaded',
  async () => {
    const broken: [file: string, text: string, said: RegExp][] = [
      [
        'src/tools.ts',
        `${toolsOf('three')}const = 1;\n`,
        /^turnpike: src\/tools\.ts:\d+:7: Expected identifier/m,
      ],
      [
        'src/tools.ts',
        toolsOf('three').replace(`name: 'tell'`, `name: 'te ll'`),
        /^turnpike: src\/tools\.ts:\d+:\d+: The tool "te ll": name must be /m,
      ],
      [
        'turnpike.config.ts',
        CONFIG.replace('./src/tools.ts', './src/none.ts'),
        /Cannot find module .*none\.ts/,
      ],
      ['turnpike.config.ts', 'export default 3;\n', /default export must be what defineConfig\(\) returns/],
      ['turnpike.config.ts', 'process.exit(7);\n', /The worker with .* code ended \(exit code 7\)/],
    ];
    for (const [file, text, said] of broken) {
      const from = line.reportedErrors.length;
      write(file, text);
      const news = (): string => line.reportedErrors.slice(from);
      await untilTrue(`${String(said)} in:\n${line.reportedErrors}`, () => said.test(news()));
      await untilTrue('it serves on', () => news().includes('The code before this serves on.'));
    }
    expect(await textOf('Tell.')).toBe('tell of two');
    // A file that the config names before it is there, in a folder of which nothing was loaded.
    write('src/tools.ts', toolsOf('three'));
    write('later/other.ts', 'export {};\n');
    write('turnpike.config.ts', CONFIG.replace('./src/tools.ts', './later/tools.ts'));
    await untilTrue('it is missed', () => /Cannot find module .*later/.test(line.reportedErrors));
    write('later/tools.ts', `export * from '../src/tools.ts';\n`);
    await untilTrue('it is found', async () => (await textOf('Tell.')) === 'tell of three');
    write('src/tools.ts', toolsOf('four'));
    write('turnpike.config.ts', CONFIG);
    await untilTrue('the mended code serves', async () => (await textOf('Tell.')) === 'tell of four');
  },
  LIMIT_MS,
);

test(
  'a changed agent is a new version, and a mistake in its file is named and changes nothing',
  async () => {
    write('agents/plain.yaml', 'name: plain\nmodel: claude-haiku-5-5\nmax_steps: 0\n');
    await untilTrue('the mistake is named', () =>
      line.reportedErrors.includes('agents/plain.yaml:3: max_steps: '),
    );
    write('agents/plain.yaml', 'name: plain\nmodel: claude-haiku-5-5\nmax_steps: 4\n');
    await line.untilSaid('applied      plain, version 2');
    const { items } = await turnpike.agents.list().page();
    expect(items).toMatchObject([
      { name: 'coder', version: 1 },
      { name: 'plain', version: 2, max_steps: 4 },
    ]);
  },
  LIMIT_MS,
);

test(
  'a worker that is killed is started again, and its turn ends',
  async () => {
    rmSync(join(project.folder, 'release'));
    const [pid] = workers();
    process.kill(Number(pid), 'SIGKILL');
    await line.untilSaid('The worker is back.');
    expect(await textOf('Tell.')).toBe('tell of four');
  },
  LIMIT_MS,
);

test(
  'Ctrl-C stops all of it with exit code 0, also with a turn in the middle of a tool',
  async () => {
    const waiting = await submit('Wait.');
    await untilTrue('the tool waits', () => isRunning(waiting.id));
    const ended = await line.stop();
    expect(ended).toMatchObject({ code: 0 });
    expect(line.left()).toEqual([]);
    expect(existsSync(join(project.folder, '.turnpike/env'))).toBe(false);
  },
  LIMIT_MS,
);

async function isRunning(turnId: string): Promise<boolean> {
  const { items } = await turnpike.turns.steps(turnId).page();
  return items.length > 0;
}

/** The process ids of the workers. */
function workers(): number[] {
  return line
    .look()
    .filter(({ name, pid }) => name.startsWith('worker-') && existsSync(`/proc/${pid}`))
    .map(({ pid }) => pid);
}
