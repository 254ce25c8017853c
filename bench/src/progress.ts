const WIDTH = 24;

/** A bar on the terminal: how many of a run's parts are done, and which is under way. Lines where it is none. */
export class Progress {
  #done = 0;
  #total = 0;
  #scenario = '';

  /** A scenario begins that has so many parts. */
  begin(scenario: string, parts: number): void {
    this.#scenario = scenario;
    this.#done = 0;
    this.#total = parts;
  }

  /** The next part is under way. */
  step(what: string): void {
    const share = Math.min(1, this.#done / Math.max(1, this.#total));
    this.#done += 1;
    const bar = '#'.repeat(Math.round(share * WIDTH)).padEnd(WIDTH, '.');
    const line = `[${bar}] ${this.#scenario}: ${what}`;
    if (process.stderr.isTTY) process.stderr.write(`\r\u001B[K${line}`);
    else process.stderr.write(`${line}\n`);
  }

  clear(): void {
    if (process.stderr.isTTY) process.stderr.write('\r\u001B[K');
  }
}
