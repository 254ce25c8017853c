// A turn as a DBOS workflow: a model step and a step that saves the response. One process, as DBOS is a library.
import { randomUUID } from 'node:crypto';
import { DBOS } from '@dbos-inc/dbos-sdk';
import { callModel, openPool, serveTurns } from './turns-over-http.mjs';

const pool = openPool();

const runTurn = DBOS.registerWorkflow(
  async ({ id, input }) => {
    const output = await DBOS.runStep(() => callModel(input), { name: 'model' });
    await DBOS.runStep(
      async () => {
        await pool.query({
          name: 'save',
          text: `INSERT INTO floor_turns (id, input, status, output) VALUES ($1, $2, 'completed', $3)
                 ON CONFLICT (id) DO NOTHING`,
          values: [id, input, output],
        });
      },
      { name: 'save' },
    );
    return { id, output };
  },
  { name: 'turn' },
);

DBOS.setConfig({ name: 'bench', systemDatabaseUrl: process.env.DATABASE_URL, logLevel: 'error' });
await DBOS.launch();

const running = new Map();
await serveTurns({
  async submit({ input }) {
    const id = randomUUID();
    const handle = await DBOS.startWorkflow(runTurn, { workflowID: id })({ id, input });
    // Asked of this process, whose handle needs no polling: the fastest way that DBOS has.
    running.set(id, handle);
    return id;
  },
  async untilDone(id) {
    const handle = running.get(id) ?? DBOS.retrieveWorkflow(id);
    const result = await handle.getResult();
    running.delete(id);
    return result;
  },
});
