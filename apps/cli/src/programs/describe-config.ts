import { z } from 'zod';
import { loadConfig } from './load-config.ts';

/** Loads a config, tells the parent process what it defines, and ends. */
await loadConfig(z.string().parse(process.argv[2]));
process.exit(0);
