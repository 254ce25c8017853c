import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { createServer, type ServerResponse } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { REPOSITORY, mustRun } from './installed.ts';

/** A registry of npm packages on this machine: our own as they are packed, and what is installed here. */
export interface Registry {
  url: string;
  /** The names of the packages that were asked for and are not here. */
  readonly missing: string[];
  stop(): Promise<void>;
}

interface Manifest {
  name: string;
  version: string;
}

/** The packages that `release/pack.mjs` makes, packed as for a publication. */
export async function startRegistry(): Promise<Registry> {
  const folder = mkdtempSync(join(tmpdir(), 'turnpike-test-registry-'));
  const npm = join(folder, 'npm');
  await mustRun(process.execPath, [join(REPOSITORY, 'release/pack.mjs'), npm], REPOSITORY);
  const packed = new Map<string, string>();
  for (const name of readdirSync(npm)) {
    const words = ['pack', '--json', '--ignore-scripts', '--pack-destination', folder, join(npm, name)];
    const [made] = JSON.parse(await mustRun('npm', words, folder)) as { name: string; filename: string }[];
    if (made === undefined) throw new Error(`${name} was not packed.`);
    packed.set(made.name, join(folder, made.filename.replace('@', '').replace('/', '-')));
  }
  const sources = new Map(
    [...packed.keys()].map((name) => [name, join(npm, name.replace('@turnpike/', ''))]),
  );
  const missing: string[] = [];

  const server = createServer((request, response) => {
    const path = decodeURIComponent(new URL(request.url ?? '/', 'http://registry.invalid').pathname).slice(1);
    const [name = '', file] = path.split('/-/');
    const home = sources.get(name) ?? join(REPOSITORY, 'node_modules', name);
    if (!existsSync(join(home, 'package.json'))) {
      missing.push(name);
      response.writeHead(404).end('{}');
    } else if (file === undefined) {
      const manifest = JSON.parse(readFileSync(join(home, 'package.json'), 'utf8')) as Manifest;
      sendJson(response, describe(manifest, `http://${request.headers.host}/${name}/-/package.tgz`));
    } else sendTarball(response, packed.get(name), home);
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const address = server.address();
  if (address === null || typeof address === 'string') throw new Error('No port was given.');
  return {
    url: `http://127.0.0.1:${address.port}/`,
    missing,
    async stop() {
      const closed = once(server, 'close');
      server.close();
      server.closeAllConnections();
      await closed;
      rmSync(folder, { recursive: true, force: true });
    },
  };
}

function describe(manifest: Manifest, tarball: string): unknown {
  const { name, version } = manifest;
  return {
    name,
    'dist-tags': { latest: version },
    versions: { [version]: { ...manifest, dist: { tarball } } },
  };
}

function sendJson(response: ServerResponse, body: unknown): void {
  response.writeHead(200, { 'content-type': 'application/json' }).end(JSON.stringify(body));
}

/** A package of ours as it was packed; an installed one as it lies here, without what is installed inside of it. */
function sendTarball(response: ServerResponse, packed: string | undefined, home: string): void {
  response.writeHead(200, { 'content-type': 'application/octet-stream' });
  if (packed !== undefined) {
    response.end(readFileSync(packed));
    return;
  }
  const tar = spawn('tar', [
    '-cf',
    '-',
    '--exclude=./node_modules',
    '--transform=s,^\\.,package,',
    '-C',
    home,
    '.',
  ]);
  const gzip = spawn('gzip', ['-1'], { stdio: [tar.stdout, 'pipe', 'ignore'] });
  gzip.stdout.pipe(response);
}
