import { readdir, readFile, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { createToolSchema, describeIssues, parseAgent, type ValidationIssue } from '@turnpike/contract';
import { describeError, Failure } from '../failure.ts';
import type { ConfigAgent } from '../project/config-message.ts';
import { shown } from '../paths.ts';
import { describeMistake, type Definition, type Origin } from './definition.ts';
import { readYaml } from './read-yaml.ts';
import { findCredentials, findSecretValues } from './refuse-secrets.ts';

/** The folders that definitions are in. */
export const FOLDERS = { agent: 'agents', tool: 'tools' } as const;
const IS_YAML = /\.ya?ml$/;

const MOST_BYTES = 1024 * 1024;

export interface Definitions {
  definitions: Definition[];
  /** What is wrong, each with file, line and field. */
  mistakes: string[];
}

/** Reads `agents/*.yaml` and `tools/*.yaml` below a directory. A folder that is not there has no files. */
export async function readDefinitions(directory: string): Promise<Definitions> {
  const found: Definitions = { definitions: [], mistakes: [] };
  for (const kind of ['tool', 'agent'] as const) {
    for (const path of await listFiles(join(directory, FOLDERS[kind]))) {
      const read = await readDefinition(kind, path);
      found.definitions.push(...read.definitions);
      found.mistakes.push(...read.mistakes);
    }
  }
  found.mistakes.push(...findDuplicates(found.definitions));
  return found;
}

/** What `agents/*.yaml`, `tools/*.yaml` and a config define together. */
export async function readProject(
  directory: string,
  config: { path: string; agents: readonly ConfigAgent[] } | null,
): Promise<Definitions> {
  const found = await readDefinitions(directory);
  if (config === null) return found;
  const origin: Origin = { file: shown(config.path), lineOf: () => null };
  for (const { name, body } of config.agents) {
    const inFile = found.definitions.find((one) => one.kind === 'agent' && one.name === name);
    if (inFile !== undefined) {
      found.mistakes.push(
        describeMistake(inFile.origin, 'name', `agent ${name} is defined in ${origin.file} too`),
      );
      continue;
    }
    const { definitions, mistakes } = checkDefinition('agent', body, origin);
    found.definitions.push(...definitions);
    found.mistakes.push(...mistakes.map((mistake) => `${mistake} (agent ${name})`));
  }
  return found;
}

/** Two definitions of one name would undo each other. */
function findDuplicates(definitions: readonly Definition[]): string[] {
  const first = new Map<string, Definition>();
  return definitions.flatMap((definition) => {
    const key = `${definition.kind} ${definition.name}`;
    const earlier = first.get(key);
    if (earlier === undefined) {
      first.set(key, definition);
      return [];
    }
    const message = `${key} is defined in ${earlier.origin.file} already`;
    return [describeMistake(definition.origin, 'name', message)];
  });
}

/** Checks what was given as an agent or a tool, as the API would, and that no secret is in it. */
function checkDefinition(kind: Definition['kind'], value: unknown, origin: Origin): Definitions {
  const mistakesOf = (issues: readonly ValidationIssue[]): string[] =>
    issues.map(({ path, message }) => describeMistake(origin, path, message));
  const parsed = kind === 'agent' ? parseAgent(value) : createToolSchema.safeParse(value);
  if (!parsed.success) return { definitions: [], mistakes: mistakesOf(describeIssues(parsed.error, value)) };
  const { data } = parsed;
  const definition: Definition =
    'references' in data
      ? { kind: 'agent', name: data.body.name, value: data.body, references: data.references, origin }
      : { kind: 'tool', name: data.name, value: data, origin };
  const secrets = [
    ...findSecretValues(value),
    ...(definition.kind === 'tool' ? findCredentials(definition.value) : []),
  ];
  return { definitions: [definition], mistakes: mistakesOf(secrets) };
}

/** The YAML files of a folder; none where it is not there. */
export async function listFiles(folder: string): Promise<string[]> {
  try {
    const names = await readdir(folder);
    return names
      .filter((name) => IS_YAML.test(name))
      .toSorted()
      .map((name) => join(folder, name));
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'ENOENT') return [];
    throw new Failure(`${shown(folder)} cannot be read: ${describeError(error)}.`);
  }
}

async function readDefinition(kind: Definition['kind'], path: string): Promise<Definitions> {
  const file = shown(path);
  if ((await stat(path)).size > MOST_BYTES) {
    return { definitions: [], mistakes: [`${file}: is larger than ${MOST_BYTES} bytes`] };
  }
  const read = readYaml(file, await readFile(path, 'utf8'));
  if ('mistakes' in read) return { definitions: [], mistakes: read.mistakes };
  return checkDefinition(kind, read.value, read.origin);
}
