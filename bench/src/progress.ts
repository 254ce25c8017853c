const WIDTH = 24;

/** A progress bar on a terminal: how many parts are done, and the current one. Lines where there is no terminal. */
export class Progress {
  #done = 0;
  #total = 0;
  #scenario = '';

  /** Begins a scenario of this many parts. */
  begin(scenario: string, parts: number): void {
    this.#scenario = scenario;
    this.#done = 0;
    this.#total = parts;
  }

  /** Begins the next part. */
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
