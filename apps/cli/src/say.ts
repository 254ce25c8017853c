/** Prints a line on standard output. */
export function say(line = ''): void {
  process.stdout.write(`${line}\n`);
}

/** Prints a line of a list: a name and its value. */
export function sayFact(what: string, fact: string): void {
  say(`  ${what.padEnd(11)}  ${fact}`);
}

/** Prints a line on standard error, which scripts do not read as output. */
export function warn(message: string): void {
  process.stderr.write(`turnpike: ${message}\n`);
}
