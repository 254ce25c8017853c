const ALGORITHM = { name: 'HMAC', hash: 'SHA-256' };
/** Limit of checked signatures; a webhook has one per active secret. */
const MAX_SIGNATURES = 16;

/** The byte arrays that Web Crypto accepts. */
type Bytes = Uint8Array<ArrayBuffer>;

interface SignedContent {
  id: string;
  timestamp: string;
  bytes: Uint8Array;
}

export function toBytes(body: string | Uint8Array | ArrayBuffer): Uint8Array {
  if (typeof body === 'string') return new TextEncoder().encode(body);
  return body instanceof ArrayBuffer ? new Uint8Array(body) : body;
}

/** Imports a `whsec_` secret. Throws a `TypeError` that does not contain the secret. */
export function importSecret(secret: string): Promise<CryptoKey> {
  const key = decodeBase64(secret.replace(/^whsec_/, ''));
  if (key === null || key.length === 0) throw new TypeError('A secret must be whsec_ followed by base64.');
  return crypto.subtle.importKey('raw', key, ALGORITHM, false, ['sign', 'verify']);
}

/** Returns the signature in base64. */
export async function sign(key: CryptoKey, signed: SignedContent): Promise<string> {
  const signature = new Uint8Array(await crypto.subtle.sign('HMAC', key, contentOf(signed)));
  return btoa(String.fromCharCode(...signature));
}

/** True if one of the signatures is valid for one of the keys. Web Crypto compares in constant time. */
export async function checkSignature(
  keys: readonly CryptoKey[],
  signed: SignedContent,
  header: string,
): Promise<boolean> {
  const content = contentOf(signed);
  for (const entry of header.split(' ', MAX_SIGNATURES)) {
    const signature = entry.startsWith('v1,') ? decodeBase64(entry.slice(3)) : null;
    if (signature === null) continue;
    for (const key of keys) {
      if (await crypto.subtle.verify('HMAC', key, signature, content)) return true;
    }
  }
  return false;
}

/** `id.timestamp.body`, the body exactly as it was sent. */
function contentOf({ id, timestamp, bytes }: SignedContent): Bytes {
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
