import { shown } from '../places.ts';
import { say } from '../say.ts';

/** The lines to go on with, ready to be pasted into another terminal. */
export function sayNextSteps(places: {
  apiUrl: string;
  keyFile: string;
  agentId: string;
  turnId: string;
}): void {
  const { apiUrl, keyFile, agentId, turnId } = places;
  const authorization = '-H "Authorization: Bearer $KEY"';
  const body = JSON.stringify({ agent_id: agentId, input: 'What time is it in Tokyo?' });
  say('Go on from another terminal, in this directory:');
  say();
  say(`  KEY=$(cat ${shown(keyFile)})`);
  say('  # submit a turn: the answer is its id, at once');
  say(`  curl -s ${apiUrl}/v1/turns ${authorization} -H "Content-Type: application/json" -d '${body}'`);
  say('  # read a turn; with wait, as soon as it has ended');
  say(`  curl -s "${apiUrl}/v1/turns/${turnId}?wait=30" ${authorization}`);
  say('  # read what it did, step by step');
  say(`  curl -s ${apiUrl}/v1/turns/${turnId}/steps ${authorization}`);
  say();
  say('  # what only an operator may do, such as another key');
  say('  npx turnpike tenants list');
  say('  npx turnpike keys create development --scope turns:read');
  say();
  say(`All that the API can do: ${apiUrl}/docs`);
  say('Ctrl-C stops all of it; the data stays.');
}
