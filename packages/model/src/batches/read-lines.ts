import { streamMalformed } from '../stream-broken.ts';

/** The lines of a text, each of at most so many characters, as they arrive. Throws what the connection throws. */
export async function* readLines(response: Response, mostCharacters: number): AsyncGenerator<string> {
  if (response.body === null) return;
  const decoder = new TextDecoder('utf-8');
  // The parts of a line that has not ended: joined once, since a line may come in thousands of them.
  let begun: string[] = [];
  let characters = 0;
  // Node's type of a stream is not that of the browser's.
  for await (const piece of response.body as unknown as AsyncIterable<Uint8Array>) {
    const [continued = '', ...others] = decoder.decode(piece, { stream: true }).split('\n');
    begun.push(continued);
    characters += continued.length;
    for (const next of others) {
      const line = begun.join('');
      if (line.trim() !== '') yield line;
      begun = [next];
      characters = next.length;
    }
    if (characters > mostCharacters) throw streamMalformed('a line is too long');
  }
  const last = begun.join('') + decoder.decode();
  if (last.trim() !== '') yield last;
}
