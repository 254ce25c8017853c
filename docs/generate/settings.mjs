import { keyVariables } from '@turnpike/secrets';
import { z } from 'zod';
import { environmentVariables as ofApi } from '../../apps/api/dist/config.js';
import { environmentVariables as ofCommandLine } from '../../apps/cli/dist/config.js';
import { environmentVariables as ofSimulator } from '../../apps/model-sim/dist/config.js';
import { environmentVariables as ofWorker } from '../../packages/worker/dist/program/config.js';
import { code, table, WRITTEN } from './markdown.mjs';

const PLAIN_BOUND = 9_000_000_000_000;

/** The variables of a schema: name, values that it takes, default, meaning. Throws for one without a description. */
function settingsOf(schema) {
  const { properties, required = [] } = z.toJSONSchema(schema, { io: 'input', unrepresentable: 'any' });
  return Object.entries(properties).map(([name, setting]) => {
    if (setting.description === undefined) throw new Error(`${name} has no description.`);
    return { name, setting, isRequired: required.includes(name) };
  });
}

function valuesOf({
  enum: choices,
  const: only,
  type,
  minimum = -Infinity,
  maximum = Infinity,
  format,
  pattern,
}) {
  if (choices !== undefined) return choices.map(code).join(', ');
  if (only !== undefined) return code(only);
  if (format === 'uri') return 'URL';
  if (type === 'integer' || type === 'number') {
    const [least, most] = [minimum, maximum].map((bound) => bound.toLocaleString('en'));
    if (maximum > PLAIN_BOUND) return minimum < -PLAIN_BOUND ? 'number' : `${least} or more`;
    return `${least} to ${most}`;
  }
  return pattern === undefined ? 'text' : code(pattern);
}

function defaultOf({ setting, isRequired }) {
  if (setting.unset !== undefined) return setting.unset;
  if (setting.default !== undefined && setting.default !== '') return code(setting.default);
  return isRequired ? '**required**' : '';
}

const rowOf = ({ name, setting, isRequired }) => [
  code(name),
  valuesOf(setting),
  defaultOf({ setting, isRequired }),
  setting.description,
];
const settingsTable = (settings) => table(['variable', 'values', 'default', 'meaning'], settings.map(rowOf));

const [environmentKeys, vaultKeys] = keyVariables.map(settingsOf);
const [api, worker] = [ofApi, ofWorker].map(settingsOf);
const isOf = (settings) => (one) =>
  settings.some((other) => one.name === other.name && rowOf(one).join() === rowOf(other).join());

const provider = environmentKeys.find(({ name }) => name === 'TURNPIKE_KEY_PROVIDER');
const keys = [
  [code(provider.name), '`environment`, `vault`', '`environment`', provider.setting.description],
  ...[...environmentKeys, ...vaultKeys]
    .filter(({ name }) => name !== provider.name)
    .map((setting) => {
      const [name, values, unset, meaning] = rowOf(setting);
      const isOfVault = vaultKeys.includes(setting);
      return [
        name,
        values,
        unset === '**required**'
          ? isOfVault
            ? 'required with `vault`'
            : 'required with `environment`'
          : unset,
        meaning,
      ];
    }),
];

/** docs/reference/settings.md */
export const settings = `${WRITTEN}

# Settings

Every environment variable of the programs, from their \`config.ts\`. A variable that is set to nothing counts as not set. A program that is started with a wrong one names every mistake and stops. \`.env.example\` has those that \`docker compose\` hands on.

## API and workers

${settingsTable(api.filter(isOf(worker)))}

## API

${settingsTable(api.filter((one) => !isOf(worker)(one)))}

## Workers

${settingsTable(worker.filter((one) => !isOf(api)(one)))}

## Master keys

Of the API, the workers and the command line. How to set them up and rotate them: [security](../explanation/security.md#rotating-the-master-key).

${table(['variable', 'values', 'default', 'meaning'], keys)}

## Command line

Of \`turnpike\`. \`turnpike start\` also hands every other variable on to the API and the workers.

${settingsTable(settingsOf(ofCommandLine))}

## OpenTelemetry

Where traces are on, OpenTelemetry reads its own variables: \`OTEL_TRACES_SAMPLER\` and \`OTEL_TRACES_SAMPLER_ARG\` decide how much is traced (default: all), \`OTEL_BSP_SCHEDULE_DELAY\`, \`OTEL_BSP_MAX_QUEUE_SIZE\`, \`OTEL_BSP_MAX_EXPORT_BATCH_SIZE\` and \`OTEL_BSP_EXPORT_TIMEOUT\` how it is batched.

## Model simulator

Of \`apps/model-sim\`, for development and tests.

${settingsTable(settingsOf(ofSimulator))}
`;
