/** A decoded text, and the position of each of its characters in the original. */
export interface DecodedView {
  text: string;
  /** Where the character at `index` begins and ends in the original text. */
  from(index: number): number;
  to(index: number): number;
}

/** Real texts have JSON in JSON in a URL; one that changes more often is made to cost time. */
const MOST_DECODINGS = 4;

/** An escape sequence of JSON or source code, of a URL, or of HTML. */
const ESCAPE =
  /\\u[0-9a-f]{4}|\\x[0-9a-f]{2}|\\[^ux]|%[0-9a-f]{2}(?:%[89ab][0-9a-f])*|&#x[0-9a-f]{1,6};|&#\d{1,7};|&(?:amp|lt|gt|quot|apos);/gi;

const NAMED = new Map(
  Object.entries({
    amp: '&',
    lt: '<',
    gt: '>',
    quot: '"',
    apos: "'",
    b: '\b',
    f: '\f',
    n: '\n',
    r: '\r',
    t: '\t',
  }),
);

/** The text itself, then decoded once, twice and so on, until nothing changes. */
export function decodedViews(text: string): DecodedView[] {
  const views: DecodedView[] = [{ text, from: (index) => index, to: (index) => index + 1 }];
  for (let view = views[0]; view !== undefined && views.length <= MOST_DECODINGS;) {
    view = decode(view);
    if (view !== undefined) views.push(view);
  }
  return views;
}

/** The same text without what `dropped` matches, such as the line breaks in base64. */
export function withoutCharacters(view: DecodedView, dropped: RegExp): DecodedView {
  return replaceAll(view, dropped, () => '') ?? view;
}

/** Undefined where there is nothing to decode. */
function decode(view: DecodedView): DecodedView | undefined {
  return /[\\%&]/.test(view.text) ? replaceAll(view, ESCAPE, decodeEscape) : undefined;
}

/** Undefined where nothing matches. */
function replaceAll(
  view: DecodedView,
  pattern: RegExp,
  replacement: (match: string) => string,
): DecodedView | undefined {
  /** For each character: where it begins and ends in the text before. */
  const begins: number[] = [];
  const ends: number[] = [];
  let text = '';
  let done = 0;
  const keepUntil = (end: number): void => {
    for (let at = done; at < end; at++) {
      begins.push(at);
      ends.push(at + 1);
    }
    text += view.text.slice(done, end);
  };
  for (const { 0: match, index } of view.text.matchAll(pattern)) {
    keepUntil(index);
    done = index + match.length;
    const replaced = replacement(match);
    text += replaced;
    for (let at = 0; at < replaced.length; at++) {
      begins.push(index);
      ends.push(done);
    }
  }
  if (done === 0) return undefined;
  keepUntil(view.text.length);
  return {
    text,
    from: (index) => view.from(begins[index] ?? 0),
    to: (index) => view.to((ends[index] ?? 1) - 1),
  };
}

function decodeEscape(escape: string): string {
  if (escape.startsWith('%')) return Buffer.from(escape.replaceAll('%', ''), 'hex').toString();
  if (escape.startsWith('&#')) {
    const code = Number(escape.slice(2, -1).replace(/^x/i, '0x'));
    return code <= 0x10ffff ? String.fromCodePoint(code) : '';
  }
  if (escape.startsWith('&')) return NAMED.get(escape.slice(1, -1).toLowerCase()) ?? '';
  const [, kind = '', ...rest] = escape;
  if (rest.length > 0) return String.fromCharCode(Number.parseInt(rest.join(''), 16));
  return /[bfnrt]/.test(kind) ? (NAMED.get(kind) ?? kind) : kind;
}
