import { appendFile } from 'node:fs/promises';
import type { Turnpike } from '@turnpike/client';
import { compare } from '../definitions/compare.ts';
import { carryOut, finish, type Done } from '../definitions/carry-out.ts';
import { describePlan, isChange } from '../definitions/describe-plan.ts';
import { readProject } from '../definitions/read-definitions.ts';
import { describeError } from '../failure.ts';
import { shown } from '../paths.ts';
import type { ConfigAgent } from '../project/config-message.ts';
import { say, warn } from '../say.ts';

export interface Project {
  turnpike: Turnpike;
  directory: string;
  config: { path: string; agents: readonly ConfigAgent[] } | null;
  /** Signing secrets of new tools are appended to it. */
  signingSecretsFile: string;
}

/** Makes agents and HTTP tools what the project says, without asking, and prints the difference. Failures are printed. */
export async function applyProject({
  turnpike,
  directory,
  config,
  signingSecretsFile,
}: Project): Promise<void> {
  try {
    const { definitions, mistakes } = await readProject(directory, config);
    for (const mistake of mistakes) warn(mistake);
    const planned = await compare(turnpike, definitions);
    for (const mistake of planned.mistakes) warn(mistake);
    const { ids } = planned;
    const unfinished: Done[] = [];
    for (const one of planned.planned.filter(isChange)) {
      for (const line of describePlan([one])) say(`  ${line}`);
      const done = await carryOut(turnpike, one, ids);
      const { result, signingSecret } = done;
      if (!done.isWhole) unfinished.push(done);
      say(`  applied      ${result.name}${'version' in result ? `, version ${result.version}` : ''}`);
      if (signingSecret === null) continue;
      await appendFile(signingSecretsFile, `${result.name}=${signingSecret}\n`, { mode: 0o600 });
      say(`  its signing secret is in ${shown(signingSecretsFile)}`);
    }
    for (const done of unfinished) await finish(turnpike, done, ids);
  } catch (error) {
    warn(describeError(error));
  }
}
