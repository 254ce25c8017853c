#!/usr/bin/env node
import { createProgram } from './create-program.ts';
import { describeError } from './failure.ts';
import { warn } from './say.ts';

try {
  await createProgram().parseAsync();
} catch (error) {
  warn(describeError(error));
  process.exitCode = 1;
}
