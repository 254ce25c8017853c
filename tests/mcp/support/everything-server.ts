import { spawn, type ChildProcess } from 'node:child_process';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { freePort } from '../../support/free-port.ts';
import { untilTrue } from '../../support/until-true.ts';

/** The reference server of the protocol, as it is published. */
export class EverythingServer {
  readonly url: string;
  readonly #process: ChildProcess;

  private constructor(url: string, child: ChildProcess) {
    this.url = url;
    this.#process = child;
  }

  static async start(): Promise<EverythingServer> {
    const port = await freePort();
    const folder = dirname(
      createRequire(import.meta.url).resolve('@modelcontextprotocol/server-everything/package.json'),
    );
    const child = spawn(process.execPath, [join(folder, 'dist/index.js'), 'streamableHttp'], {
      env: { ...process.env, PORT: String(port) },
      stdio: 'ignore',
    });
    const url = `http://127.0.0.1:${port}/mcp`;
    await untilTrue('the reference server listens', () =>
      fetch(url).then(
        () => true,
        () => false,
      ),
    );
    return new EverythingServer(url, child);
  }

  stop(): void {
    this.#process.kill('SIGKILL');
  }
}
