import { setPriority } from 'node:os';

/** Lower than the process's other threads, yet not so low that a busy machine stops an ordinary check. */
const NICENESS = 10;
// On Linux this sets the priority of the calling thread alone; elsewhere it would be that of the whole process.
if (process.platform === 'linux') setPriority(NICENESS);

// Loaded only now: to load it takes longer than most checks.
const { check } = await import('./check-input.ts');

/** The entry of a worker thread. */
export default check;
