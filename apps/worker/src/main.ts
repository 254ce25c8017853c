import { startWorker } from '@turnpike/worker';

await startWorker();
