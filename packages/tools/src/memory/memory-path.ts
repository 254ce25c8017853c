export const ROOT = '/memories';
export const MAX_PATH = 512;
/** A percent-encoded dot, slash, backslash, NUL or percent sign: another reader may decode it. */
const ENCODED = /%(2e|2f|5c|00|25)/i;

/**
 * An explanation for the model of what is wrong with a path; null for one inside `/memories`. Nothing is resolved or
 * decoded: a path that would need it is refused.
 */
export function explainPath(path: string): string | null {
  if (path.length > MAX_PATH) return `Error: The path is longer than ${MAX_PATH} characters`;
  if (path !== ROOT && !path.startsWith(`${ROOT}/`)) {
    return `Error: The path ${shown(path)} must start with ${ROOT}`;
  }
  const names = path.slice(ROOT.length + 1).split('/');
  const isPlain = path === ROOT || names.every(isPlainName);
  return isPlain ? null : `Error: The path ${shown(path)} is not allowed: use plain names below ${ROOT}`;
}

/** As it is stored: without the slash that may end the path of a folder. */
export function normalPath(path: string): string {
  return path.length > 1 && path.endsWith('/') ? path.slice(0, -1) : path;
}

/** The folders that contain a path, from the outermost, without `/memories`. */
export function foldersOf(path: string): string[] {
  const names = path.slice(ROOT.length + 1).split('/');
  return names.slice(0, -1).map((_, at) => `${ROOT}/${names.slice(0, at + 1).join('/')}`);
}

export function isInside(path: string, folder: string): boolean {
  return path.startsWith(`${folder}/`);
}

function isPlainName(name: string): boolean {
  if (name === '' || name === '.' || name === '..') return false;
  return !/[\\\p{C}]/u.test(name) && name === name.trim() && !ENCODED.test(name);
}

/** A refused path may contain anything. */
function shown(path: string): string {
  return path.slice(0, 200).replaceAll(/\p{C}/gu, '\uFFFD');
}
