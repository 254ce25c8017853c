import { describeError, Failure } from '../failure.ts';
import { freePort, tryPort } from '../programs/free-port.ts';

const USUAL = 3000;

/** The API's port: the wanted one, else the usual one or a free one. Throws a `Failure` where the wanted one is in use. */
export async function choosePort(wanted: number | undefined): Promise<{ port: number; note: string }> {
  const port = await tryPort(wanted ?? USUAL).catch((error: unknown) => {
    throw new Failure(`Port ${wanted ?? USUAL} cannot be used: ${describeError(error)}.`);
  });
  if (port !== null) return { port, note: '' };
  if (wanted !== undefined) {
    throw new Failure(
      `Port ${wanted} is in use by another program: free it, or give another one with --port or PORT.`,
    );
  }
  return { port: await freePort(), note: ` (port ${USUAL} is taken)` };
}
