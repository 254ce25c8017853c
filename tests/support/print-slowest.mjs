import { readFileSync } from 'node:fs';
import { join, relative } from 'node:path';

const SHOWN = 10;

/** A reporter for jest: after a run of several files it prints which files and which tests took longest. */
export default class PrintSlowest {
  #root;

  constructor({ rootDir }) {
    this.#root = rootDir;
  }

  onRunComplete(_, { testResults, startTime }) {
    if (testResults.length < 2) return;
    const files = testResults.map(({ testFilePath, perfStats, testResults: tests }) => ({
      ms: perfStats.end - perfStats.start,
      name: `${relative(this.#root, testFilePath)} (${tests.length})`,
    }));
    const tests = testResults.flatMap(({ testFilePath, testResults: ofFile }) =>
      ofFile.map(({ duration, fullName }) => ({
        ms: duration ?? 0,
        name: `${relative(this.#root, testFilePath)}: ${fullName}`,
      })),
    );
    const total = seconds(files.reduce((sum, { ms }) => sum + ms, 0));
    const starts = countStarts();
    process.stdout.write(
      [
        `\nSlowest files (tests in each), of ${files.length} that took ${total} s one by one:`,
        ...slowest(files),
        'Slowest tests:',
        ...slowest(tests),
        `${seconds(Date.now() - startTime)} s in all, ${starts} programs started.\n`,
      ].join('\n'),
    );
  }
}

function slowest(entries) {
  return entries
    .toSorted((one, other) => other.ms - one.ms)
    .slice(0, SHOWN)
    .map(({ ms, name }) => `${seconds(ms).padStart(7)} s  ${name}`);
}

const seconds = (ms) => (ms / 1000).toFixed(1);

/** `count-start.ts` adds a line for each. */
function countStarts() {
  try {
    return readFileSync(join(process.env.TEST_RUN_FOLDER ?? '', 'starts'), 'utf8').split('\n').length - 1;
  } catch {
    return 0;
  }
}
