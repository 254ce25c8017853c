import { Batches } from './batches/batches.ts';
import { Containers } from './containers.ts';
import { HangGate } from './hang-gate.ts';
import { Ledger } from './ledger.ts';
import { PromptCache } from './prompt-cache.ts';
import { Rulebook } from './rulebook.ts';
import type { Script } from './script.ts';
import { Ticker } from './ticker.ts';

/** All that one simulator remembers. */
export class Simulation {
  readonly ticker = new Ticker();
  readonly gate = new HangGate();
  readonly cache = new PromptCache();
  readonly containers = new Containers();
  readonly batches = new Batches();
  readonly #firstScript: Script;
  #script: Script;
  #rulebook: Rulebook;
  #ledger = new Ledger();

  constructor(script: Script) {
    this.#firstScript = script;
    this.#script = script;
    this.#rulebook = new Rulebook(script);
  }

  get script(): Script {
    return this.#script;
  }
  get rulebook(): Rulebook {
    return this.#rulebook;
  }
  /** A call keeps the ledger it began in, so that a reset is not touched by what came before it. */
  get ledger(): Ledger {
    return this.#ledger;
  }

  /** Takes another script; its rules have not fired yet. Calls under way go on as they began. */
  setScript(script: Script): void {
    this.#script = script;
    this.#rulebook = new Rulebook(script);
  }

  /** As it was when it started: the first script, no calls, an empty cache, nothing hanging. */
  reset(): void {
    this.setScript(this.#firstScript);
    this.#ledger = new Ledger();
    this.cache.clear();
    this.containers.clear();
    this.batches.clear();
    this.gate.release();
  }
}
