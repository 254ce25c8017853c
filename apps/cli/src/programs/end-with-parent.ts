/**
 * Loaded before a program that knows nothing of its parent: when the parent is gone, however it
 * ended, the program is asked to stop as by an operator.
 */
process.once('disconnect', () => process.kill(process.pid, 'SIGTERM'));
