import { createHash } from 'node:crypto';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Sha256 } from '@aws-crypto/sha256-js';
import { EventStreamCodec } from '@smithy/eventstream-codec';
import { HttpRequest } from '@smithy/protocol-http';
import { SignatureV4 } from '@smithy/signature-v4';
import type { ReceivedRequest } from './scripted-api.ts';

const codec = new EventStreamCodec(
  (bytes) => new TextDecoder().decode(bytes),
  (text) => new TextEncoder().encode(text),
);

function frame(headers: Record<string, string>, payload: object): Buffer {
  const typed = Object.entries({ ':content-type': 'application/json', ...headers }).map(
    ([name, value]) => [name, { type: 'string', value }] as const,
  );
  const body = Buffer.from(JSON.stringify(payload));
  return Buffer.from(codec.encode({ headers: Object.fromEntries(typed), body }));
}

/** Events of the Messages API as Bedrock streams them: each in a frame, base64, with padding that hides its length. */
export function asBedrockStream(events: readonly object[]): Buffer {
  const frames = events.map((event, index) =>
    frame(
      { ':event-type': 'chunk', ':message-type': 'event' },
      {
        bytes: Buffer.from(JSON.stringify(event)).toString('base64'),
        p: 'abcdefghijklmnop'.slice(0, index % 16),
      },
    ),
  );
  return Buffer.concat(frames);
}

/** An exception inside a stream of Bedrock, such as `throttlingException`. */
export function bedrockException(name: string, message: string): Buffer {
  return frame({ ':exception-type': name, ':message-type': 'exception' }, { message });
}

export const AWS_CREDENTIALS = {
  accessKeyId: 'AKIDEXAMPLE',
  secretAccessKey: 'wJalrXUtnFEMI-K7MDENG-bPxRfiCYEXAMPLEKEY',
};

/** The `authorization` header that AWS would compute for a request that came with these headers, path and body. */
export async function expectedSignature(
  { path = '/', headers, text }: ReceivedRequest,
  region: string,
): Promise<string | undefined> {
  const date = String(headers['x-amz-date']);
  const iso = date.replace(/^(\d{4})(\d\d)(\d\dT\d\d)(\d\d)(\d\dZ)$/, '$1-$2-$3:$4:$5');
  const [, names = ''] = /SignedHeaders=([^,]+)/.exec(String(headers.authorization)) ?? [];
  const signed = names.split(';').map((name) => [name, String(headers[name])] as const);
  const signer = new SignatureV4({
    service: 'bedrock',
    region,
    credentials: AWS_CREDENTIALS,
    sha256: Sha256,
  });
  const request = new HttpRequest({
    method: 'POST',
    protocol: 'http:',
    path,
    headers: {
      ...Object.fromEntries(signed),
      'x-amz-content-sha256': createHash('sha256').update(text).digest('hex'),
    },
    body: text,
  });
  const { headers: computed } = await signer.sign(request, { signingDate: new Date(iso) });
  return computed['authorization'];
}

export interface GoogleIdentity {
  /** Of Application Default Credentials: `GOOGLE_APPLICATION_CREDENTIALS`. */
  file: string;
  /** How often an access token was asked for. */
  asked(): number;
  close(): Promise<void>;
}

/** For tests: a workload identity of Google Cloud, with a server that exchanges its token for an access token. */
export async function startGoogleIdentity(accessToken: string): Promise<GoogleIdentity> {
  let asked = 0;
  const server = createServer((request, response) => {
    request.resume().on('end', () => {
      asked += 1;
      response.writeHead(200, { 'content-type': 'application/json' });
      response.end(
        JSON.stringify({
          access_token: accessToken,
          issued_token_type: 'urn:ietf:params:oauth:token-type:access_token',
          token_type: 'Bearer',
          expires_in: 3600,
        }),
      );
    });
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  const folder = await mkdtemp(join(tmpdir(), 'identity-'));
  const file = join(folder, 'credentials.json');
  await writeFile(join(folder, 'token'), 'the-token-of-the-workload');
  await writeFile(
    file,
    JSON.stringify({
      type: 'external_account',
      audience: '//iam.googleapis.com/projects/1/locations/global/workloadIdentityPools/pool/providers/test',
      subject_token_type: 'urn:ietf:params:oauth:token-type:jwt',
      token_url: `http://127.0.0.1:${port}/v1/token`,
      credential_source: { file: join(folder, 'token') },
    }),
  );
  return {
    file,
    asked: () => asked,
    async close() {
      await new Promise<void>((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      });
      await rm(folder, { recursive: true });
    },
  };
}
