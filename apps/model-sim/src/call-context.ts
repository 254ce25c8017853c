import type { ServerResponse } from 'node:http';
import type { Call } from './calls.ts';
import type { Ledger } from './ledger.ts';
import type { Simulation } from './simulation.ts';

/** A call under way, and where it is answered and counted. */
export interface CallContext {
  simulation: Simulation;
  ledger: Ledger;
  call: Call;
  response: ServerResponse;
}
