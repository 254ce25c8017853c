/** One line for the person at the terminal. */
export function say(line = ''): void {
  process.stdout.write(`${line}\n`);
}

/** A line of a list: what it is, and what there is to know of it. */
export function sayFact(what: string, fact: string): void {
  say(`  ${what.padEnd(11)}  ${fact}`);
}

/** What went wrong, where it disturbs no output that a script reads. */
export function complain(message: string): void {
  process.stderr.write(`turnpike: ${message}\n`);
}
