import Sequencer from '@jest/test-sequencer';

/** After so many other files comes one of chaos: so few of those run at once, and none is left for the end. */
const FILES_BETWEEN = 8;

/** Which test files jest runs first: those that start processes, with those of chaos spread among them. */
export default class OrderFiles extends Sequencer {
  sort(files) {
    const sorted = Reflect.apply(super.sort, this, [files]);
    const chaos = sorted.filter((file) => isIn(file, 'tests/chaos/'));
    const others = sorted.filter((file) => !chaos.includes(file));
    const slow = others.filter((file) => isIn(file, 'tests/'));
    const ordered = [...slow, ...others.filter((file) => !slow.includes(file))];
    return [
      ...chaos.flatMap((file) => [file, ...ordered.splice(0, FILES_BETWEEN)]),
      // Where there are no others, or more than chaos was put between.
      ...ordered,
    ];
  }
}

function isIn({ path, context }, folder) {
  return path.startsWith(`${context.config.rootDir}/${folder}`);
}
