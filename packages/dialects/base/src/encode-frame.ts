/** Many parsers treat these as line ends, and JSON does not escape them. */
const LINE_ENDS = /[\u0085\u2028\u2029]/g;
const escaped = (character: string): string => `\\u${character.charCodeAt(0).toString(16).padStart(4, '0')}`;

/** A frame of server-sent events: its data is one line for every parser. */
export function encodeFrame(type: string, data: object, id?: string): string {
  const head = id === undefined ? '' : `id: ${id}\n`;
  return `${head}event: ${type}\n${encodeData(data)}`;
}

/** A frame without a type, of which clients read the data alone. */
export function encodeData(data: object): string {
  return `data: ${JSON.stringify(data).replaceAll(LINE_ENDS, escaped)}\n\n`;
}
