/**
 * Loaded before a program that does not watch its parent: when the parent has exited, for whatever reason, the program
 * receives SIGTERM, as from an operator.
 */
process.once('disconnect', () => process.kill(process.pid, 'SIGTERM'));
