// The worker in production: `npm run build && node build/worker.js`. In development `turnpike dev` starts it.
import { startWorker } from '@turnpike/worker';
import config from './turnpike.config.ts';

await startWorker(config);
