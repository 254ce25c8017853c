import { defineConfig } from '@turnpike/worker';
import { support } from './src/agents.ts';

export default defineConfig({ agents: [support] });
