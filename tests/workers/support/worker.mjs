// A worker whose tools the test names: `TOOLS=charge:2,refund` has version 2 of `charge`, and version 1 of `refund`.
import { setTimeout as delay } from 'node:timers/promises';
import { defineTool, startWorker } from '../../support/worker-library.mjs';
import { z } from 'zod';

// eslint-disable-next-line node/no-process-env
const { TOOLS = '', LABEL = '', TOOL_MS = '0' } = process.env;

/** 1 and 2 take the same input; 3 takes another one. */
const INPUTS = {
  1: z.object({ amount: z.number() }),
  2: z.object({ amount: z.number(), note: z.string().optional() }),
  3: z.object({ cents: z.int() }),
};

const toolsOf = (list) =>
  list
    .split(',')
    .filter((tool) => tool !== '')
    .map((tool) => {
      const [name, version = '1'] = tool.split(':');
      return defineTool({
        name,
        description: `The tool ${name}, version ${version}.`,
        input: INPUTS[version],
        effect: 'idempotent',
        async run(input) {
          await delay(Number(TOOL_MS));
          return `${name} ran on ${LABEL}${version === '3' ? ` with ${Object.keys(input).join()}` : ''}`;
        },
      });
    });

const worker = await startWorker({ tools: toolsOf(TOOLS), version: LABEL });
process.on('message', (list) => worker.replaceTools(toolsOf(list)));
