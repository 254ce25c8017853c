import { failure, ok, type Finding } from './finding.ts';

/** As `engines` in package.json. */
const OLDEST = [20, 19] as const;

export function checkNode(version: string = process.versions.node): Finding {
  const [major = 0, minor = 0] = version.split('.').map(Number);
  const isNew = major > OLDEST[0] || (major === OLDEST[0] && minor >= OLDEST[1]);
  const seen = `Node ${version}.`;
  return isNew
    ? ok('node_version', seen)
    : failure('node_version', seen, `Upgrade to ${OLDEST.join('.')} or newer.`);
}
