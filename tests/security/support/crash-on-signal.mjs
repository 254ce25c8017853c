// Loaded before a program's own code: a signal makes it throw what it should never say, as a library might.
const secrets = JSON.stringify(process.env);
process.on('SIGUSR2', () => {
  throw new Error(`${process.env.CANARY_CONTROL}, thrown: ${secrets}`);
});
process.on('SIGHUP', () => {
  void Promise.reject(new Error(`${process.env.CANARY_CONTROL}, rejected: ${secrets}`));
});
