import { startModelSim } from '@turnpike/model-sim';
import { z } from 'zod';
import { onParentGone, notifyParent } from './notify-parent.ts';
import { untilUsersEnd } from './until-users-end.ts';

/** The pace of a fast model, so that a person can watch a turn run. */
const PACE = { first_token_ms: 100, tokens_per_second: 150 };

const argumentSchema = z.object({ runFile: z.string() });
export type SimulatorArgument = z.infer<typeof argumentSchema>;

const { runFile } = argumentSchema.parse(JSON.parse(process.argv[2] ?? ''));
const simulator = await startModelSim({ host: '127.0.0.1', script: { defaults: PACE } });
notifyParent({ url: simulator.url });

const stop = (): void => {
  simulator.close().then(
    () => process.exit(0),
    () => process.exit(1),
  );
};
process.once('SIGTERM', stop);
process.once('SIGINT', stop);
onParentGone(() => void untilUsersEnd(runFile).then(stop));
