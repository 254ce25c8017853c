#!/usr/bin/env node
import { createProject, ProjectError } from './create-project.ts';

const [folder, ...rest] = process.argv.slice(2);
try {
  if (folder === undefined || folder.startsWith('-') || rest.length > 0) {
    throw new ProjectError('Say where: npm create turnpike my-agent');
  }
  const { name, path } = await createProject(folder, process.cwd());
  process.stdout.write(`${name} is in ${path}. Next:

  cd ${folder}
  npm install
  npm run dev     # everything on this machine; without ANTHROPIC_API_KEY a simulator answers
  npm test        # kills the tools at every step, and looks at what they did
`);
} catch (error) {
  if (!(error instanceof ProjectError)) throw error;
  process.stderr.write(`create-turnpike: ${error.message}\n`);
  process.exitCode = 1;
}
