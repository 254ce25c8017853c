import { shown } from '../paths.ts';
import { say } from '../say.ts';

/** Prints commands for another terminal. */
export function sayNextSteps(started: {
  apiUrl: string;
  keyFile: string;
  agentId: string;
  turnId: string;
}): void {
  const { apiUrl, keyFile, agentId, turnId } = started;
  const authorization = '-H "Authorization: Bearer $KEY"';
  const body = JSON.stringify({ agent_id: agentId, input: 'What time is it in Tokyo?' });
  say('Continue in another terminal, in this directory:');
  say();
  say(`  KEY=$(cat ${shown(keyFile)})`);
  say('  # submit a turn: the response has its id, at once');
  say(`  curl -s ${apiUrl}/v1/turns ${authorization} -H "Content-Type: application/json" -d '${body}'`);
  say('  # read a turn; with wait, as soon as it has ended');
  say(`  curl -s "${apiUrl}/v1/turns/${turnId}?wait=30" ${authorization}`);
  say('  # read what it did, step by step');
  say(`  curl -s ${apiUrl}/v1/turns/${turnId}/steps ${authorization}`);
  say();
  say('  # commands for operators, such as another key');
  say('  npx turnpike tenants list');
  say('  npx turnpike keys create development --scope turns:read');
  say();
  say(`The whole API: ${apiUrl}/docs`);
  say('Ctrl-C stops everything; the data is kept.');
}
