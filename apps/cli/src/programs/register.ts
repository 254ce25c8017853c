import { register } from 'node:module';
import { MessageChannel } from 'node:worker_threads';

/**
 * Loaded before a program (`node --import turnpike/register`): from then on it imports TypeScript as it is. The parent
 * process, where there is one, is told of every file of the project that was loaded.
 */
const { port1: files, port2: port } = new MessageChannel();
files.on('message', (path: string) => {
  if (process.connected) process.send?.({ type: 'loaded', path });
});
files.unref();
process.setSourceMapsEnabled(true);
register('./typescript-hooks.js', import.meta.url, { data: { port }, transferList: [port] });
