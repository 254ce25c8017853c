import { METRICS } from '@turnpike/telemetry';
import { code, table, WRITTEN } from './markdown.mjs';

const ofProgram = (program) =>
  table(
    ['metric', 'type', 'labels', 'what it counts'],
    Object.entries(METRICS)
      .filter(([, { programs }]) => programs.length === 1 && programs.includes(program))
      .map(rowOf),
  );
const rowOf = ([name, { type, labels, help }]) => [code(name), type, labels.map(code).join(', '), help];

/** docs/reference/metrics.md */
export const metrics = `${WRITTEN}

# Metrics

Every metric of Turnpike, from \`packages/telemetry/src/metric-catalogue.ts\`, in the text format of Prometheus at \`/metrics\` of \`METRICS_PORT\`. Each also has the label \`service\`: \`api\` or \`worker\`. Node's own are beside them (\`nodejs_eventloop_lag_p99_seconds\`, \`process_resident_memory_bytes\` and others). What to do when one looks wrong: [operations](../how-to/operations.md#metrics).

## API

Turns that wait and jobs in queues are counted for all processes: take \`max\`, not \`sum\`.

${ofProgram('api')}

## Workers

${ofProgram('worker')}

## Both

${table(
  ['metric', 'type', 'labels', 'what it counts'],
  Object.entries(METRICS)
    .filter(([, { programs }]) => programs.length === 2)
    .map(rowOf),
)}
`;
