// Loaded before a worker's own code: makes it the broken build that CHAOS_BREAK names.
import { BREAKS } from './breaks.mjs';
import { rewriteFiles } from './rewrite-files.mjs';

const rewrites = BREAKS[process.env.CHAOS_BREAK];
if (rewrites === undefined) throw new Error(`There is no broken build "${process.env.CHAOS_BREAK}".`);
rewriteFiles(rewrites);
