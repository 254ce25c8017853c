import { expect, test } from '@jest/globals';
import { LeaseLostError, MemoryFullError, RetryableError, type AgentTool } from '@turnpike/contract';
import type { ToolLimits } from '../limits.ts';
import type { MemoryStore } from '@turnpike/contract';
import { fakeMemory } from '../testing/fake-memory.ts';
import { recordingLogger } from '../testing/recording-logger.ts';
import { loggedTo, agentWith, callOf, scopeOf, textIn, turnContext } from '../testing/test-call.ts';
import { testRunner } from '../testing/test-runner.ts';

const named: AgentTool = { type: 'memory', name: 'notebook', namespace: 'team', requires_approval: false };
const scope = scopeOf(agentWith(named));
const effectOf = (command: string) => (command === 'view' ? 'read' : 'idempotent');

/** A memory with these files, and a way to give it commands that tells what the model reads. */
function setUp(given: Record<string, string> = {}, limits: ToolLimits = {}) {
  const memory = fakeMemory(given);
  const runner = testRunner({ memory, limits });
  const output = (command: string, rest: object) =>
    runner.run(scope, callOf('notebook', { command, ...rest }, effectOf(command)), turnContext());
  const tell = async (command: string, rest: object): Promise<string> => textIn(await output(command, rest));
  return { memory, runner, output, tell, files: () => Object.fromEntries(memory.files) };
}

const notes = { '/memories/notes.txt': 'one\ntwo\nthree' };

test('the model is shown one flat schema under the agent’s name for the tool', () => {
  const [declaration] = testRunner().declare(scope);
  expect(declaration).toMatchObject({
    name: 'notebook',
    input_schema: { type: 'object', required: ['command'] },
  });
  expect(Object.keys(declaration?.input_schema ?? {})).not.toContain('oneOf');
});

test('view is a read, and changes are idempotent', async () => {
  const { runner } = setUp();
  const plan = async (input: object) => (await runner.planOf(scope, callOf('notebook', input))).effect;
  expect(await plan({ command: 'view', path: '/memories' })).toBe('read');
  expect(await plan({ command: 'create', path: '/memories/a', file_text: '' })).toBe('idempotent');
  expect(await plan({ command: 'rename', old_path: '/memories/a', new_path: '/memories/b' })).toBe(
    'idempotent',
  );
  expect(await plan({ command: 'erase', path: '/memories' })).toBe('read');
});

test('a command runs in the agent’s namespace, for its call and under its lease', async () => {
  const { memory, runner } = setUp();
  const context = turnContext();
  const call = callOf('notebook', { command: 'create', path: '/memories/a', file_text: 'x' }, 'idempotent');
  await runner.run(scope, call, context);
  await runner.run(scope, callOf('notebook', { command: 'view', path: '/memories' }), context);
  const { tenantId, turnId, epoch } = context;
  expect(memory.scopes).toEqual([
    { tenantId, namespace: 'team', turnId, epoch, toolCallId: call.id },
    { tenantId, namespace: 'team' },
  ]);
});

test('a folder shows two levels with their sizes, without hidden files', async () => {
  const { tell } = setUp({
    '/memories/notes.txt': 'x'.repeat(1_536),
    '/memories/a/b.txt': 'é',
    '/memories/a/c/d.txt': '',
    '/memories/a/c/deep/e.txt': '12345',
    '/memories/.hidden/f.txt': 'x',
    '/memories/node_modules/g.txt': 'x',
  });
  expect(await tell('view', { path: '/memories' })).toBe(
    [
      "Here're the files and directories up to 2 levels deep in /memories, excluding hidden items and node_modules:",
      '1.5K\t/memories',
      '7B\t/memories/a/',
      '2B\t/memories/a/b.txt',
      '5B\t/memories/a/c/',
      '1.5K\t/memories/notes.txt',
    ].join('\n'),
  );
  expect(await tell('view', { path: '/memories/a/c/' })).toBe(
    [
      "Here're the files and directories up to 2 levels deep in /memories/a/c, excluding hidden items and node_modules:",
      '5B\t/memories/a/c',
      '0B\t/memories/a/c/d.txt',
      '5B\t/memories/a/c/deep/',
      '5B\t/memories/a/c/deep/e.txt',
    ].join('\n'),
  );
});

test('an empty memory is a folder without files', async () => {
  expect(await setUp().tell('view', { path: '/memories' })).toBe(
    "Here're the files and directories up to 2 levels deep in /memories, excluding hidden items and node_modules:\n0B\t/memories",
  );
});

test('a file shows its lines with their numbers, all or a range', async () => {
  const { tell } = setUp(notes);
  const head = "Here's the content of /memories/notes.txt with line numbers:\n";
  const view = (view_range?: number[]) =>
    tell('view', { path: '/memories/notes.txt', ...(view_range && { view_range }) });
  expect(await view()).toBe(`${head}     1\tone\n     2\ttwo\n     3\tthree`);
  expect(await view([2, 2])).toBe(`${head}     2\ttwo`);
  expect(await view([2, -1])).toBe(`${head}     2\ttwo\n     3\tthree`);
  expect(await view([3, 99])).toBe(`${head}     3\tthree`);
});

test.each([[[0, 1]], [[4, 5]], [[3, 2]], [[-1, 2]]])(
  'a range that is not in the file is refused: %j',
  async (range) => {
    const { output } = setUp(notes);
    const viewed = await output('view', { path: '/memories/notes.txt', view_range: range });
    expect(viewed.isError).toBe(true);
    expect(textIn(viewed)).toContain('Invalid `view_range` parameter');
  },
);

test('a path that does not exist cannot be viewed, changed, deleted or renamed', async () => {
  const { tell } = setUp(notes);
  const path = '/memories/none.txt';
  const provide = `The path ${path} does not exist. Please provide a valid path.`;
  expect(await tell('view', { path })).toBe(provide);
  expect(await tell('str_replace', { path, old_str: 'a', new_str: 'b' })).toBe(`Error: ${provide}`);
  expect(await tell('insert', { path, insert_line: 0, insert_text: 'a' })).toBe(`Error: ${provide}`);
  expect(await tell('delete', { path })).toBe(`Error: The path ${path} does not exist`);
  expect(await tell('rename', { old_path: path, new_path: '/memories/b' })).toBe(
    `Error: The path ${path} does not exist`,
  );
});

test('a file is created, and not overwritten', async () => {
  const { tell, output, files } = setUp();
  const path = '/memories/a/b.txt';
  expect(await tell('create', { path, file_text: 'x' })).toBe(`File created successfully at: ${path}`);
  const again = await output('create', { path, file_text: 'y' });
  expect(again.isError).toBe(true);
  expect(textIn(again)).toBe(`Error: File ${path} already exists`);
  expect(files()).toEqual({ [path]: 'x' });
});

test('a file cannot replace a folder, nor a folder a file', async () => {
  const { tell, files } = setUp({ '/memories/a/b.txt': 'x' });
  const create = (path: string) => tell('create', { path, file_text: 'y' });
  expect(await create('/memories/a')).toBe('Error: /memories/a is a directory');
  expect(await create('/memories')).toBe('Error: /memories is a directory');
  expect(await create('/memories/a/b.txt/c')).toBe('Error: /memories/a/b.txt is a file, not a directory');
  const rename = (new_path: string) => tell('rename', { old_path: '/memories/a/b.txt', new_path });
  expect(await rename('/memories/a')).toBe('Error: The destination /memories/a already exists');
  expect(await rename('/memories/a/b.txt/c')).toContain('cannot be moved into itself');
  expect(files()).toEqual({ '/memories/a/b.txt': 'x' });
});

test('text that occurs exactly once is replaced, and its lines are shown', async () => {
  const path = '/memories/notes.txt';
  const { tell, files } = setUp({ [path]: '1\n2\n3\nfour $& five\n5\n6\n7' });
  expect(await tell('str_replace', { path, old_str: 'four $&', new_str: 'FOUR\n$$' })).toBe(
    'The memory file has been edited.\n     2\t2\n     3\t3\n     4\tFOUR\n     5\t$$ five\n     6\t5\n     7\t6',
  );
  expect(files()[path]).toBe('1\n2\n3\nFOUR\n$$ five\n5\n6\n7');
  expect(await tell('str_replace', { path, old_str: '3\nFOUR\n' })).toContain('has been edited');
  expect(files()[path]).toBe('1\n2\n$$ five\n5\n6\n7');
});

test('text that does not occur, or more than once, is not replaced', async () => {
  const path = '/memories/notes.txt';
  const { tell, files } = setUp({ [path]: 'ab\ncd ab\naaa' });
  expect(await tell('str_replace', { path, old_str: 'x', new_str: 'y' })).toBe(
    `No replacement was performed, old_str \`x\` did not appear verbatim in ${path}.`,
  );
  expect(await tell('str_replace', { path, old_str: 'ab', new_str: 'y' })).toBe(
    'No replacement was performed. Multiple occurrences of old_str `ab` in lines: 1, 2. Please ensure it is unique',
  );
  expect(await tell('str_replace', { path, old_str: 'aa', new_str: 'y' })).toContain('in lines: 3.');
  expect(await tell('str_replace', { path, old_str: '', new_str: 'y' })).toContain('Invalid input: old_str');
  expect(files()[path]).toBe('ab\ncd ab\naaa');
});

test.each([
  [0, 'new\none\ntwo\nthree'],
  [2, 'one\ntwo\nnew\nthree'],
  [3, 'one\ntwo\nthree\nnew'],
])('text is inserted after line %i', async (insert_line, content) => {
  const path = '/memories/notes.txt';
  const { tell, files } = setUp(notes);
  const told = await tell('insert', { path, insert_line, insert_text: 'new\n' });
  expect(told).toBe(`The file ${path} has been edited.`);
  expect(files()[path]).toBe(content);
});

test('text is not inserted after a line that does not exist', async () => {
  const { tell, files } = setUp(notes);
  const insert = (insert_line: number) =>
    tell('insert', { path: '/memories/notes.txt', insert_line, insert_text: 'new' });
  expect(await insert(4)).toBe(
    'Error: Invalid `insert_line` parameter: 4. It should be within the range of lines of the file: [0, 3]',
  );
  expect(await insert(-1)).toContain('Invalid input: insert_line');
  expect(files()).toEqual(notes);
});

test('a file is deleted, and a folder with all its files', async () => {
  const { tell, files } = setUp({ ...notes, '/memories/a/b': '', '/memories/a/c/d': '', '/memories/ab': '' });
  expect(await tell('delete', { path: '/memories/a' })).toBe('Successfully deleted /memories/a');
  expect(Object.keys(files())).toEqual(['/memories/notes.txt', '/memories/ab']);
  expect(await tell('delete', { path: '/memories/ab' })).toBe('Successfully deleted /memories/ab');
  expect(await tell('delete', { path: '/memories' })).toBe('Error: /memories itself cannot be deleted');
  expect(files()).toEqual(notes);
});

test('a file or a folder is renamed, and nothing is overwritten', async () => {
  const { tell, files } = setUp({ '/memories/a/b': '1', '/memories/a/c/d': '2', '/memories/x': '3' });
  const rename = (old_path: string, new_path: string) => tell('rename', { old_path, new_path });
  expect(await rename('/memories/a', '/memories/n/m')).toBe(
    'Successfully renamed /memories/a to /memories/n/m',
  );
  expect(files()).toEqual({ '/memories/n/m/b': '1', '/memories/n/m/c/d': '2', '/memories/x': '3' });
  expect(await rename('/memories/x', '/memories/n/m/b')).toContain('already exists');
  expect(await rename('/memories/n', '/memories/x')).toContain('already exists');
  expect(await rename('/memories/n', '/memories/n/o')).toContain('cannot be moved into itself');
  expect(await rename('/memories', '/memories/all')).toContain('cannot be renamed');
  expect(await rename('/memories/n', `/memories/${'y'.repeat(500)}`)).toContain('longer than 512');
  expect(Object.keys(files())).toHaveLength(3);
});

test('the size of a file and the number of files are limited', async () => {
  const { tell, files } = setUp({ '/memories/a': 'éé' }, { maxMemoryFiles: 2, maxMemoryFileBytes: 6 });
  expect(await tell('create', { path: '/memories/b', file_text: 'é'.repeat(4) })).toContain(
    'at most 6 are kept',
  );
  expect(await tell('insert', { path: '/memories/a', insert_line: 1, insert_text: 'é' })).toContain(
    'at most 6',
  );
  expect(await tell('str_replace', { path: '/memories/a', old_str: 'éé', new_str: 'éééé' })).toContain(
    'at most 6',
  );
  expect(await tell('create', { path: '/memories/b', file_text: 'é'.repeat(3) })).toContain('successfully');
  expect(await tell('create', { path: '/memories/c', file_text: '' })).toContain('no more are kept');
  expect(files()).toEqual({ '/memories/a': 'éé', '/memories/b': 'ééé' });
});

test('a path outside the memory is refused before the store is called', async () => {
  const { tell, memory } = setUp(notes);
  const paths = ['/etc/passwd', '/memories/../a', '/memories/%2e%2e/a', '/memories\\a', '/memories/a\0'];
  for (const path of paths) {
    expect(await tell('view', { path })).toMatch(/^Invalid input: path: Error: The path/);
    expect(await tell('create', { path, file_text: '' })).toContain('Invalid input: path');
    expect(await tell('rename', { old_path: '/memories/notes.txt', new_path: path })).toContain('new_path');
  }
  expect(memory.scopes).toEqual([]);
});

test('characters that Postgres cannot store are replaced in a file', async () => {
  const { tell, files } = setUp();
  await tell('create', { path: '/memories/a', file_text: 'a\0b\uD800' });
  expect(files()).toEqual({ '/memories/a': 'a\uFFFDb\uFFFD' });
});

test('a long file is truncated where it is shown, with a note', async () => {
  const { tell } = setUp({ '/memories/a': 'x'.repeat(5_000) }, { maxOutputCharacters: 1_000 });
  expect(await tell('view', { path: '/memories/a' })).toMatch(
    /\n\[truncated: 1,000 of 5,0\d\d characters\]$/,
  );
});

/** A store whose answers are these, one for each call; the last one stays. */
function storeThat(...answers: (() => Promise<never>)[]): { memory: MemoryStore; calls: () => number } {
  const good = fakeMemory();
  let calls = 0;
  const next = () => answers[calls++] ?? null;
  return {
    calls: () => calls,
    memory: {
      read: (place, work) => next()?.() ?? good.read(place, work),
      once: (place, work) => next()?.() ?? good.once(place, work),
    },
  };
}
const create = callOf('notebook', { command: 'create', path: '/memories/a', file_text: 'x' }, 'idempotent');
const gone = () => Promise.reject(new RetryableError('store_unavailable', 'The database cannot be reached.'));

test('a store that is unavailable for a moment is called again', async () => {
  const { memory, calls } = storeThat(gone, gone);
  const output = await testRunner({ memory }).run(scope, create, turnContext());
  expect(textIn(output)).toBe('File created successfully at: /memories/a');
  expect(calls()).toBe(3);
});

test('a store that stays unavailable, or never responds, is an error at the deadline', async () => {
  for (const answer of [gone, () => new Promise<never>(() => undefined)]) {
    const memory: MemoryStore = { read: answer, once: answer };
    const output = await testRunner({ memory, limits: { deadlineMs: 50 } }).run(scope, create, turnContext());
    expect(output.isError).toBe(true);
    expect(textIn(output)).toBe('The memory is unavailable now. View it before you repeat the command.');
  }
});

test('a lost lease ends the call, and an internal error is logged and told to the model', async () => {
  const { logger, lines } = recordingLogger();
  const lost = new LeaseLostError('turn_1');
  const strict = testRunner({ memory: storeThat(() => Promise.reject(lost)).memory });
  await expect(strict.run(scope, create, turnContext())).rejects.toBe(lost);
  const { memory } = storeThat(() => Promise.reject(new TypeError('words of a file')));
  const output = await testRunner({ memory }).run(scope, create, loggedTo(logger, turnContext(), create));
  expect(textIn(output)).toBe(
    'The memory failed with an internal error. View it before you repeat the command.',
  );
  expect(lines.join('')).toContain('TypeError');
  expect(lines.join('')).not.toContain('words of a file');
});

test('a turn that stops ends a call at once with its own reason', async () => {
  const turn = new AbortController();
  const reason = new Error('the turn stops');
  const hang = () => new Promise<never>(() => turn.abort(reason));
  const running = testRunner({ memory: { read: hang, once: hang } }).run(
    scope,
    create,
    turnContext(turn.signal),
  );
  await expect(running).rejects.toBe(reason);
});

test('the model is told that the memory is full, and what it can do', async () => {
  const { memory, runner } = setUp(notes);
  memory.once = (_place, work) =>
    work({
      list: () => Promise.resolve([]),
      read: () => Promise.resolve('one'),
      write: () =>
        Promise.reject(new MemoryFullError('All memories together have 5 files, and no more are kept')),
      remove: () => Promise.resolve(),
      move: () => Promise.resolve(),
    });
  const input = { command: 'create', path: '/memories/new', file_text: 'x' };
  const output = await runner.run(scope, callOf('notebook', input, 'idempotent'), turnContext());
  expect([output.isError, textIn(output)]).toEqual([
    true,
    'Error: All memories together have 5 files, and no more are kept. Delete or shorten some first',
  ]);
});
