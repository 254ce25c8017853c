import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { Agent, Tool } from '@turnpike/client';
import { readExisting } from '../definitions/compare.ts';
import type { Definition } from '../definitions/definition.ts';
import { changesOf, fieldsOf, TOOL_FIELDS } from '../definitions/plan-changes.ts';
import { findChanges } from '../definitions/find-changes.ts';
import { FOLDERS, readDefinitions } from '../definitions/read-definitions.ts';
import { findCredentials, findSecretValues } from '../definitions/refuse-secrets.ts';
import { writeAgent, writeTool } from '../definitions/write-yaml.ts';
import { Failure } from '../failure.ts';
import { shown } from '../paths.ts';
import { calling, openPublicApi } from '../public-api.ts';
import { say, warn } from '../say.ts';

interface ToWrite {
  path: string;
  text: string;
}

/**
 * Writes the agents and HTTP tools that are there as files, which `apply` then finds unchanged. A file that says the
 * same already is left as it is, with its comments; one that says something else is only overwritten with `force`.
 * Throws a `Failure`, before anything is written, for what no file can say.
 */
export async function exportDefinitions({
  folder,
  force = false,
}: {
  folder: string;
  force?: boolean;
}): Promise<void> {
  const api = openPublicApi();
  const { agents, tools } = await calling(api, () => readExisting(api.turnpike));
  const { definitions, mistakes } = await readDefinitions(folder);
  // What a file with a mistake defines is not known, so it may not be overwritten.
  const problems = [
    ...mistakes,
    ...findNameClashes(agents),
    ...[...agents, ...tools].flatMap(findUnwritable),
  ];
  const taken = new Set<string>();
  const files = [...tools, ...agents].flatMap((one) => {
    const defined = definitions.find(({ kind, name }) => kind === one.object && name === one.name);
    if (defined !== undefined && isSame(one, defined, agents)) return [];
    if (defined !== undefined && !force) {
      problems.push(`${defined.origin.file} says something else than ${one.id}: overwrite it with --force`);
    }
    const path =
      defined === undefined ? pathFor(folder, one, taken) : join(process.cwd(), defined.origin.file);
    return [{ path, text: one.object === 'agent' ? writeAgent(one, agents) : writeTool(one) }];
  });
  if (problems.length > 0) {
    for (const problem of problems) warn(problem);
    throw new Failure('Nothing was written.');
  }
  await write(folder, files, force);
  const same = agents.length + tools.length - files.length;
  if (same > 0) say(`${same} ${same === 1 ? 'file says' : 'files say'} what is there already.`);
  if (agents.length + tools.length === 0) say(`There are no agents and no HTTP tools at ${api.url}.`);
}

async function write(folder: string, files: readonly ToWrite[], force: boolean): Promise<void> {
  for (const kind of ['tool', 'agent'] as const)
    await mkdir(join(folder, FOLDERS[kind]), { recursive: true });
  for (const { path, text } of files) {
    await writeFile(path, text, { flag: force ? 'w' : 'wx' }).catch((error: unknown) => {
      const isThere = error instanceof Error && 'code' in error && error.code === 'EEXIST';
      throw isThere ? new Failure(`${shown(path)} is there already.`) : error;
    });
    say(`Wrote ${shown(path)}.`);
  }
}

function findNameClashes(agents: readonly Agent[]): string[] {
  const names = agents.map(({ name }) => name);
  const twice = new Set(names.filter((name, index) => names.indexOf(name) !== index));
  return [...twice].map(
    (name) => `several agents are called ${JSON.stringify(name)}: rename or delete all but one`,
  );
}

/** What would put a secret into a file. */
function findUnwritable(one: Agent | Tool): string[] {
  const found = [...findSecretValues(one), ...(one.object === 'tool' ? findCredentials(one) : [])];
  return found.map(({ path, message }) => `${one.id} (${one.name}): ${path}: ${message}`);
}

function isSame(one: Agent | Tool, definition: Definition, agents: readonly Agent[]): boolean {
  if (one.object === 'agent') {
    return definition.kind === 'agent' && changesOf(one, definition, agents).length === 0;
  }
  const defined = fieldsOf(definition.value, TOOL_FIELDS);
  return findChanges(fieldsOf(one, TOOL_FIELDS), defined).length === 0;
}

/** A path made of the name, with a number where another one has it. */
function pathFor(folder: string, { object, name }: Agent | Tool, taken: Set<string>): string {
  const plain =
    name
      .toLowerCase()
      .replaceAll(/[^a-z0-9_-]+/g, '-')
      .replaceAll(/^-+|-+$/g, '') || object;
  for (let number = 1; ; number++) {
    const path = join(folder, FOLDERS[object], `${number === 1 ? plain : `${plain}-${number}`}.yaml`);
    if (taken.has(path)) continue;
    taken.add(path);
    return path;
  }
}
