import { PROBLEMS } from '@turnpike/contract';
import { code, table, WRITTEN } from './markdown.mjs';

const rows = Object.entries(PROBLEMS)
  .toSorted(([, one], [, other]) => one.status - other.status)
  .map(([name, { status, title }]) => [String(status), code(name), title]);

/** docs/reference/problems.md */
export const problems = `${WRITTEN}

# Problem codes

Every error of the API is a problem (RFC 9457, \`application/problem+json\`) with one of these codes, from \`packages/contract/src/problems.ts\`. A code is never renamed. \`detail\` says what happened in this case, \`request_id\` is also in the log, and \`errors\` names the fields of a request that is not valid.

${table(['status', 'code', 'title'], rows)}
`;
