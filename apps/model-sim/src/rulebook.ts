import { createHash } from 'node:crypto';
import { fillReply } from './fill-placeholders.ts';
import type { Facts } from './read-facts.ts';
import type { Fault, Match, Pace, Reply, Rule, Script } from './script.ts';

/** What the script says about one call. */
export interface Decision {
  /** The rule that fired, as its name or its index. */
  rule: string | null;
  /** Null: the assistant answers. */
  reply: Reply | null;
  fault: Fault | null;
  pace: Pace;
}

const MAX_REMEMBERED = 100_000;

/** A script at work: which rule a call gets, and how often each has fired. */
export class Rulebook {
  readonly #script: Script;
  readonly #matchers: ((facts: Facts) => boolean)[];
  readonly #fired: number[];
  readonly #occurrences = new Map<string, number>();

  constructor(script: Script) {
    this.#script = script;
    this.#matchers = script.rules.map((rule) => matcherOf(rule.match));
    this.#fired = script.rules.map(() => 0);
  }

  /** How often each rule has fired, in order. */
  get fired(): readonly { rule: string; fired: number }[] {
    return this.#script.rules.map((rule, index) => ({
      rule: rule.name ?? String(index),
      fired: this.#fired[index] ?? 0,
    }));
  }

  /**
   * The first rule that matches and may still fire. A fault without a reply borrows the
   * reply of the next rule that would answer, without using that rule up.
   */
  decide(facts: Facts): Decision {
    const occurrence = this.#countOccurrence(`${facts.step}\n${facts.text}`);
    const decision: Decision = { rule: null, reply: null, fault: null, pace: this.#script.defaults };
    for (const [index, rule] of this.#script.rules.entries()) {
      if (!this.#fires(index, rule, facts, occurrence)) continue;
      if (decision.rule === null) {
        this.#fired[index] = (this.#fired[index] ?? 0) + 1;
        decision.rule = rule.name ?? String(index);
        decision.fault = rule.fault ?? null;
        decision.pace = { ...this.#script.defaults, ...rule.pace };
      }
      if (rule.reply !== undefined) {
        decision.reply = fillReply(rule.reply, facts);
        break;
      }
    }
    return decision;
  }

  #fires(index: number, rule: Rule, facts: Facts, occurrence: number): boolean {
    if (this.#matchers[index]?.(facts) !== true) return false;
    if (rule.times !== undefined && (this.#fired[index] ?? 0) >= rule.times) return false;
    if (rule.probability === undefined) return true;
    return (
      draw(`${this.#script.seed}\n${index}\n${occurrence}\n${facts.step}\n${facts.text}`) < rule.probability
    );
  }

  #countOccurrence(key: string): number {
    const occurrence = (this.#occurrences.get(key) ?? 0) + 1;
    this.#occurrences.set(key, occurrence);
    if (this.#occurrences.size > MAX_REMEMBERED) {
      const oldest = this.#occurrences.keys().next();
      if (!oldest.done) this.#occurrences.delete(oldest.value);
    }
    return occurrence;
  }
}

/**
 * A number in [0, 1) that depends on the seed, the question and how often it was asked,
 * and not on the order in which parallel calls arrive: a run can be repeated.
 */
function draw(key: string): number {
  return createHash('sha256').update(key).digest().readUInt32BE(0) / 2 ** 32;
}

function matcherOf(match: Match): (facts: Facts) => boolean {
  const tests: ((facts: Facts) => boolean)[] = [];
  const { text, session, turn, step, model, has_tool_result: hasToolResult, api_key: apiKey } = match;
  if (typeof text === 'string') tests.push((facts) => facts.text.includes(text));
  else if (text !== undefined) {
    // A sticky or global regex would remember where it stopped.
    const regex = new RegExp(text.regex, text.flags?.replace(/[gy]/g, ''));
    tests.push((facts) => regex.test(facts.text));
  }
  if (session !== undefined) tests.push((facts) => facts.session === session);
  if (turn !== undefined) tests.push((facts) => facts.turn === turn);
  if (step !== undefined) tests.push((facts) => facts.step === step);
  if (model !== undefined) tests.push((facts) => facts.model === model);
  if (hasToolResult !== undefined) tests.push((facts) => facts.hasToolResult === hasToolResult);
  if (apiKey !== undefined) tests.push((facts) => facts.apiKey.endsWith(apiKey));
  return (facts) => tests.every((test) => test(facts));
}
