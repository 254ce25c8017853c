import { mkdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, test } from '@jest/globals';
import { barePath, CommandLine, placeOf, projectFolder, type Ended } from './command-line.ts';

/** Only ends a test that would never end. */
export const LIMIT_MS = 600_000;

/** A test that is skipped, by name, where there is no `redis-server`. */
export const withRedis = placeOf('redis-server') === undefined ? test.skip : test;

/** A directory to start in, another one for each test. */
export interface Project {
  readonly folder: string;
  /** A search path of a machine with Node and nothing else. */
  readonly path: string;
  /** `turnpike start` on such a machine; stopped after the test where it still runs. */
  start(environment?: Record<string, string>, where?: string): CommandLine;
  /** Another command in that directory, with nothing in its environment. */
  turnpike(...words: string[]): Promise<Ended>;
  /** A folder that goes after the test. */
  alsoRemove(...folders: string[]): void;
}

/** Gives each test of a file a directory of its own, and leaves nothing of it. */
export function useProject(): Project {
  let started: CommandLine[] = [];
  let folders: string[] = [];
  const project: { -readonly [Name in keyof Project]: Project[Name] } = {
    folder: '',
    path: '',
    start(environment = {}, where = project.folder) {
      const line = new CommandLine(['start'], {
        folder: where,
        environment: { PATH: project.path, PORT: '0', ...environment },
      });
      started.push(line);
      return line;
    },
    turnpike(...words) {
      const environment = { PATH: project.path };
      return new CommandLine(words, { folder: project.folder, environment }).untilEnded();
    },
    alsoRemove(...more) {
      folders.push(...more);
    },
  };
  beforeEach(() => {
    project.folder = projectFolder();
    const tools = join(project.folder, 'bin');
    mkdirSync(tools);
    project.path = barePath(tools);
    folders = [project.folder];
    started = [];
  });
  afterEach(async () => {
    for (const line of started) {
      if (!line.isOver) await line.stop();
    }
    for (const folder of folders) rmSync(folder, { recursive: true, force: true });
  });
  return project;
}

/** Reads something from the API that was started, with the key that was made. */
export function readFrom(line: CommandLine, place: string): Promise<unknown> {
  return askFrom(line, 'GET', place);
}

/** Asks that API for something else. */
export async function askFrom(
  line: CommandLine,
  method: 'GET' | 'POST',
  place: string,
  body?: unknown,
): Promise<unknown> {
  const response = await fetch(`${line.found(/API +(http:\S+)/)}${place}`, {
    method,
    headers: { authorization: `Bearer ${await line.key()}`, 'content-type': 'application/json' },
    ...(body === undefined ? {} : { body: JSON.stringify(body) }),
  });
  return response.json();
}

export const idOfTurn = (line: CommandLine): string => line.found(/queued +(turn_\w+)/);
export const idOfAgent = (line: CommandLine): string => line.found(/"agent_id":"(agent_\w+)"/);
