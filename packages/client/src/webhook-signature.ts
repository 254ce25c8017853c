const ALGORITHM = { name: 'HMAC', hash: 'SHA-256' };
/** Signatures of one webhook that are looked at: it has as many as there are secrets at once. */
const MOST_SIGNATURES = 16;

/** Bytes that Web Crypto takes. */
type Bytes = Uint8Array<ArrayBuffer>;

interface Signed {
  id: string;
  timestamp: string;
  bytes: Uint8Array;
}

export function toBytes(body: string | Uint8Array | ArrayBuffer): Uint8Array {
  if (typeof body === 'string') return new TextEncoder().encode(body);
  return body instanceof ArrayBuffer ? new Uint8Array(body) : body;
}

/** Throws `TypeError`, which does not say what it got. */
export function importSecret(secret: string): Promise<CryptoKey> {
  const key = decodeBase64(secret.replace(/^whsec_/, ''));
  if (key === null || key.length === 0) throw new TypeError('A secret must be whsec_ and base64.');
  return crypto.subtle.importKey('raw', key, ALGORITHM, false, ['sign', 'verify']);
}

/** In base64. */
export async function sign(key: CryptoKey, signed: Signed): Promise<string> {
  const signature = new Uint8Array(await crypto.subtle.sign('HMAC', key, contentOf(signed)));
  return btoa(String.fromCharCode(...signature));
}

/** True where one of the signatures is that of one of the keys. Web Crypto compares in constant time. */
export async function checkSignature(
  keys: readonly CryptoKey[],
  signed: Signed,
  header: string,
): Promise<boolean> {
  const content = contentOf(signed);
  for (const entry of header.split(' ', MOST_SIGNATURES)) {
    const signature = entry.startsWith('v1,') ? decodeBase64(entry.slice(3)) : null;
    if (signature === null) continue;
    for (const key of keys) {
      if (await crypto.subtle.verify('HMAC', key, signature, content)) return true;
    }
  }
  return false;
}

/** `id.timestamp.body`, the body exactly as it was sent. */
function contentOf({ id, timestamp, bytes }: Signed): Bytes {
  const head = new TextEncoder().encode(`${id}.${timestamp}.`);
  const content = new Uint8Array(head.length + bytes.length);
  content.set(head);
  content.set(bytes, head.length);
  return content;
}

function decodeBase64(text: string): Bytes | null {
  try {
    return Uint8Array.from(atob(text), (character) => character.charCodeAt(0));
  } catch {
    return null;
  }
}
