import { describeError, Failure } from '../failure.ts';
import { freePort, tryPort } from '../programs/free-port.ts';

const USUAL = 3000;

/** The API's port: the one that was asked for or none; else the usual one, or one that is free. */
export async function choosePort(wanted: number | undefined): Promise<{ port: number; note: string }> {
  const port = await tryPort(wanted ?? USUAL).catch((error: unknown) => {
    throw new Failure(`PORT ${wanted ?? USUAL} cannot be used: ${describeError(error)}.`);
  });
  if (port !== null) return { port, note: '' };
  if (wanted !== undefined) {
    throw new Failure(`PORT ${wanted} is taken by another program; free it, or set another PORT.`);
  }
  return { port: await freePort(), note: ` (port ${USUAL} is taken)` };
}
