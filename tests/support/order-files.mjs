import Sequencer from '@jest/test-sequencer';

/** Those that take longest begin first, also in a run that knows nothing of an earlier one. */
const FOLDERS = ['tests/chaos/', 'tests/cli/', 'tests/'];

/** Which test files jest runs first: by folder, and in each as it does by itself. */
export default class OrderFiles extends Sequencer {
  sort(files) {
    return super.sort(files).toSorted((one, other) => rankOf(one) - rankOf(other));
  }
}

function rankOf({ path, context }) {
  const name = path.slice(context.config.rootDir.length + 1);
  const rank = FOLDERS.findIndex((folder) => name.startsWith(folder));
  return rank === -1 ? FOLDERS.length : rank;
}
