import { defineAgent } from '@turnpike/worker';
import { findOrder, refundOrder } from './tools.ts';

/** `turnpike dev` and `turnpike apply` make the agent what it is here; a change is a new version. */
export const support = defineAgent({
  name: 'support',
  model: 'claude-haiku-5-5',
  system: 'You help customers of a shop. Look an order up before you refund it. Be brief.',
  tools: [findOrder, refundOrder],
});
