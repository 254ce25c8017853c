import { secretForms } from '@turnpike/telemetry';

/** Shorter ones are hidden only as they are: their other forms would be parts of ordinary words. */
const SHORTEST_ENCODED = 6;
/** A beginning that is shorter says nothing. */
const SHORTEST_BEGINNING = 4;
const SHOWN = '[secret]';

/**
 * The text without these values, raw and in the forms in which they travel: URL-encoded, base64,
 * JSON-escaped, and a credential without its scheme (`Bearer x`). Where the text was cut, a value of
 * which only the beginning is left at its end is hidden too.
 */
export function hideSecrets(text: string, values: readonly string[], cut: boolean): string {
  const forms = [...new Set(values.flatMap(formsOf))].filter((form) => form !== '');
  const places = forms.flatMap((form) => placesOf(form, text));
  if (cut) places.push(...forms.flatMap((form) => beginningAtEnd(form, text)));
  let clean = '';
  let done = 0;
  for (const [from, to] of places.toSorted(([one], [other]) => one - other)) {
    if (from >= done) clean += text.slice(done, from) + SHOWN;
    done = Math.max(done, to);
  }
  return clean + text.slice(done);
}

function formsOf(value: string): string[] {
  const [, credential = ''] = /^[A-Za-z][\w-]{0,30} +(\S.*)$/.exec(value) ?? [];
  const plain = credential.length < SHORTEST_ENCODED ? [value] : [value, credential];
  return plain.flatMap((part) => (part.length < SHORTEST_ENCODED ? [part] : secretForms(part)));
}

function placesOf(form: string, text: string): [number, number][] {
  const places: [number, number][] = [];
  for (let at = text.indexOf(form); at !== -1; at = text.indexOf(form, at + 1)) {
    places.push([at, at + form.length]);
  }
  return places;
}

function beginningAtEnd(form: string, text: string): [number, number][] {
  for (let length = Math.min(form.length - 1, text.length); length >= SHORTEST_BEGINNING; length -= 1) {
    if (text.endsWith(form.slice(0, length))) return [[text.length - length, text.length]];
  }
  return [];
}
