import {
  BATCH_PRIORITY,
  batchLineSchema,
  describeIssues,
  inputBlocks,
  lineWithDefaults,
  ProblemError,
  type BatchDefaults,
  type BatchLine,
  type ValidationIssue,
} from '@turnpike/contract';
import { agentOfSession, readAgent } from '@turnpike/store';
import { checkFiles, requestedBy } from '@turnpike/turns';
import { LRUCache } from 'lru-cache';
import { checkMetadata } from '../check-count.ts';
import { findUnstorable } from '../check-json.ts';
import { checkOverrides } from '../check-overrides.ts';
import { checkPublicUrl } from '../check-public-url.ts';
import type { FormAsker, Services } from '../route.ts';

/** A line that is valid: what is stored of it. */
export interface CheckedLine {
  customId: string;
  /** JSON, without its `custom_id`, and with the version of its agent. */
  request: string;
}

type Checked = { line: CheckedLine } | { issues: readonly ValidationIssue[] };

/** Agents, sessions and overrides that are remembered: most lines of a batch name the same. */
const REMEMBERED = 1_000;

/** Checks lines of one batch as the submit of a turn is checked, before any of them is accepted. */
export class LineChecker {
  readonly #asker: FormAsker;
  readonly #services: Services;
  readonly #defaults: BatchDefaults;
  /** What is wrong with an agent, or null with its version. */
  readonly #agents = new LRUCache<
    string,
    { version: number; problem: null } | { problem: readonly ValidationIssue[] }
  >({
    max: REMEMBERED,
  });
  readonly #sessions = new LRUCache<string, boolean>({ max: REMEMBERED });

  constructor(asker: FormAsker, services: Services, defaults: BatchDefaults = {}) {
    this.#asker = asker;
    this.#services = services;
    this.#defaults = defaults;
  }

  /** A line of a file: what its JSON says. */
  async check(given: unknown): Promise<Checked> {
    const unstorable = findUnstorable(given);
    if (unstorable !== null) return { issues: [unstorable] };
    const parsed = batchLineSchema.safeParse(given);
    return parsed.success ? this.checkItem(parsed.data) : { issues: describeIssues(parsed.error, given) };
  }

  /** A line that is valid by itself. */
  async checkItem(item: BatchLine): Promise<Checked> {
    try {
      return await this.#checkLine(item);
    } catch (error) {
      if (!(error instanceof ProblemError)) throw error;
      return { issues: error.issues ?? [{ path: '', message: error.message }] };
    }
  }

  async #checkLine({ custom_id: customId, ...line }: BatchLine): Promise<Checked> {
    const whole = lineWithDefaults(line, this.#defaults);
    const { session_id: sessionId, agent_id: agentId } = whole;
    if (line.session_id !== undefined && line.agent_id !== undefined)
      return issue('agent_id', 'cannot be set with `session_id`: the session has an agent');
    if (sessionId === undefined && agentId === undefined)
      return issue('agent_id', 'is required, here or in `defaults`, where there is no `session_id`');
    checkMetadata(whole, this.#asker.limits);
    checkPublicUrl(whole.webhook_url, 'webhook_url', this.#services);
    if (sessionId !== undefined) {
      for (const field of ['session_metadata', 'session_budget_micros', 'user_id'] as const) {
        if (line[field] !== undefined) return issue(field, 'cannot be set with `session_id`');
      }
      if (!(await this.#hasSession(sessionId))) return issue('session_id', 'there is no such session');
    }
    const agent = await this.#agentOf(whole);
    if (agent.problem !== null) return { issues: agent.problem };
    await checkFiles(this.#asker.sql, this.#asker.tenantId, inputBlocks(whole.input), 'input');
    const stored = agent.version === null ? line : { ...line, agent_version: agent.version };
    return { line: { customId, request: JSON.stringify(stored) } };
  }

  async #hasSession(sessionId: string): Promise<boolean> {
    const known = this.#sessions.get(sessionId);
    if (known !== undefined) return known;
    const { sql, tenantId } = this.#asker;
    const found = (await agentOfSession(sql, tenantId, { sessionId })) !== null;
    this.#sessions.set(sessionId, found);
    return found;
  }

  /** The version that the line runs with; null for that of the session when it becomes a turn. */
  async #agentOf(
    whole: ReturnType<typeof lineWithDefaults>,
  ): Promise<{ version: number | null; problem: null } | { problem: readonly ValidationIssue[] }> {
    const { session_id: sessionId, agent_id: agentId, agent_version: version, overrides } = whole;
    if (sessionId !== undefined && version === undefined && overrides === undefined)
      return { version: null, problem: null };
    const key = JSON.stringify([sessionId ?? agentId, version, overrides]);
    const known = this.#agents.get(key) ?? (await this.#readAgent(whole));
    this.#agents.set(key, known);
    return known;
  }

  async #readAgent(
    whole: ReturnType<typeof lineWithDefaults>,
  ): Promise<{ version: number; problem: null } | { problem: readonly ValidationIssue[] }> {
    const { sql, tenantId } = this.#asker;
    const { session_id: sessionId, agent_version: version } = whole;
    const agentId =
      sessionId === undefined ? whole.agent_id : await agentOfSession(sql, tenantId, { sessionId });
    const agent = agentId == null ? null : await readAgent(sql, tenantId, agentId, version);
    if (agent === null) {
      const path = version === undefined ? 'agent_id' : 'agent_version';
      return {
        problem: [{ path, message: `there is no such ${path === 'agent_id' ? 'agent' : 'version'}` }],
      };
    }
    try {
      const requested = requestedBy({ ...whole, agent_version: agent.version }, BATCH_PRIORITY);
      const checked = await checkOverrides(this.#asker, this.#services, requested);
      return { version: checked ?? agent.version, problem: null };
    } catch (error) {
      if (!(error instanceof ProblemError)) throw error;
      return { problem: error.issues ?? [{ path: 'overrides', message: error.message }] };
    }
  }
}

function issue(path: string, message: string): Checked {
  return { issues: [{ path, message }] };
}
