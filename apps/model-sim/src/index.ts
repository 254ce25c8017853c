export { callListSchema, callSchema, outcomeSchema, statsSchema } from './calls.ts';
export type { Call, CallList, Outcome, Stats } from './calls.ts';
export { faultSchema, matchSchema, paceSchema, replySchema, ruleSchema, scriptSchema } from './script.ts';
export type { Fault, Match, Pace, Reply, Rule, Script, ScriptInput } from './script.ts';
export { SimControl } from './sim-control.ts';
export { startModelSim } from './start-model-sim.ts';
export type { ModelSim, ModelSimOptions } from './start-model-sim.ts';
