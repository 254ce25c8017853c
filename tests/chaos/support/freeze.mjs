// Loaded before a worker's own code: it stops, as by SIGSTOP, when it has connected to CHAOS_FREEZE_PORT and
// before it knows, once.
import { Socket } from 'node:net';

const port = Number(process.env.CHAOS_FREEZE_PORT);
const { connect } = Socket.prototype;
let isOver = false;

Socket.prototype.connect = function connectAndStop(...given) {
  if (!isOver && given.flat().some((part) => Number(part?.port) === port)) {
    isOver = true;
    this.prependOnceListener('connect', () => {
      process.stdout.write('[frozen]\n');
      process.kill(process.pid, 'SIGSTOP');
    });
  }
  return Reflect.apply(connect, this, given);
};
