import { mkdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, test } from '@jest/globals';
import { barePath, CommandLine, findProgram, projectFolder, type Ended } from './command-line.ts';

/** Only ends a test that would never end. */
export const LIMIT_MS = 600_000;

/** A test that is skipped, by name, where there is no `redis-server`. */
export const withRedis = findProgram('redis-server') === undefined ? test.skip : test;

/** A directory that all tests of a file start in, one after another: a start is most of what they cost. */
export interface Project {
  readonly folder: string;
  /** A search path of a machine with Node and nothing else. */
  readonly path: string;
  /** `turnpike start` on such a machine; stopped after the last test where it still runs. */
  start(environment?: Record<string, string>, where?: string): CommandLine;
  /** `turnpike dev`, in the same way. */
  dev(environment?: Record<string, string>): CommandLine;
  /** Another command in that directory, with nothing in its environment. */
  turnpike(...words: string[]): Promise<Ended>;
  /** The same with this environment. */
  turnpikeWith(environment: Record<string, string>, ...words: string[]): Promise<Ended>;
  /** A folder to be removed after the last test. */
  alsoRemove(...folders: string[]): void;
}

/** Gives a test file a directory, and removes it and all that was started in it. */
export function useProject(): Project {
  const started: CommandLine[] = [];
  const folders: string[] = [];
  const begin = (word: string, environment: Record<string, string>, folder: string): CommandLine => {
    const line = new CommandLine([word], {
      folder,
      environment: { PATH: project.path, PORT: '0', ...environment },
    });
    started.push(line);
    return line;
  };
  const project: { -readonly [Name in keyof Project]: Project[Name] } = {
    folder: '',
    path: '',
    start: (environment = {}, where = project.folder) => begin('start', environment, where),
    dev: (environment = {}) => begin('dev', environment, project.folder),
    turnpike(...words) {
      return project.turnpikeWith({}, ...words);
    },
    turnpikeWith(given, ...words) {
      const environment = { PATH: project.path, ...given };
      return new CommandLine(words, { folder: project.folder, environment }).untilEnded();
    },
    alsoRemove(...more) {
      folders.push(...more);
    },
  };
  beforeAll(() => {
    project.folder = projectFolder();
    const tools = join(project.folder, 'bin');
    mkdirSync(tools);
    project.path = barePath(tools);
    folders.push(project.folder);
  });
  afterAll(async () => {
    for (const line of started) {
      if (!line.isOver) await line.stop();
    }
    for (const folder of folders) rmSync(folder, { recursive: true, force: true });
  }, LIMIT_MS);
  return project;
}

/** Reads something from the API that was started, with the key that was made. */
export function readFrom(line: CommandLine, path: string): Promise<unknown> {
  return askFrom(line, 'GET', path);
}

/** Sends that API any request. */
export async function askFrom(
  line: CommandLine,
  method: 'GET' | 'POST',
  path: string,
  body?: unknown,
): Promise<unknown> {
  const response = await fetch(`${line.found(/API +(http:\S+)/)}${path}`, {
    method,
    headers: { authorization: `Bearer ${await line.key()}`, 'content-type': 'application/json' },
    ...(body === undefined ? {} : { body: JSON.stringify(body) }),
  });
  return response.json();
}

export const idOfTurn = (line: CommandLine): string => line.found(/queued +(turn_\w+)/);
export const idOfAgent = (line: CommandLine): string => line.found(/"agent_id":"(agent_\w+)"/);
