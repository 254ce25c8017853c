import {
  BATCH_PRIORITY,
  batchDefaultsSchema,
  batchLineSchema,
  fileIdsIn,
  inputBlocks,
  lineWithDefaults,
  newId,
  parseJson,
  ProblemError,
  TerminalError,
  type BatchWait,
  type Limits,
} from '@turnpike/contract';
import {
  insertTurns,
  savepoint,
  type Counted,
  type FedBatch,
  type FedLine,
  type Sql,
  type StoredLine,
} from '@turnpike/store';
import { acceptUnderLocks } from './accept-turn.ts';
import { newTurn, type Caps } from './new-turn.ts';
import { rejectionUnderLocks } from './rejection-reason.ts';
import type { PlainCommand, PlainTurn } from './submit-command.ts';

/** What became of the first of some lines: those after it are left to the next transaction. */
export interface FedLines {
  lines: FedLine[];
  /** What was there before, where it was counted. */
  counted: Counted;
  /** Why the first line that is left cannot become a turn yet. */
  wait: BatchWait | null;
  /** Turns of sessions that were there before, and may be followed. */
  followed: { sessionId: string; turnId: string }[];
  /** The next one may need a transaction of its own as well, so few are to be read. */
  isAlone: boolean;
}

interface Line {
  index: number;
  command: PlainCommand;
}

const NOTHING: FedLines = {
  lines: [],
  counted: { waiting: null, sessions: null },
  wait: null,
  followed: [],
  isAlone: false,
};

const requestSchema = batchLineSchema.omit({ custom_id: true });

/**
 * Makes turns of the first lines, in their order, in the transaction of `sql`. A line that can never become one is
 * refused, and no other with it.
 */
export function feedLines(
  sql: Sql,
  of: { tenantId: string; limits: Limits; batch: FedBatch; caps: Caps },
  stored: readonly StoredLine[],
): Promise<FedLines> {
  const plain: Line[] = [];
  for (const line of stored) {
    const command = commandOf(of, line);
    if (command === null) return plain.length > 0 ? feedPlain(sql, plain, of.caps) : refuseUnreadable(line);
    if (isSpecial(command)) {
      if (plain.length > 0) break;
      return feedSpecial(sql, { index: line.index, command }, of.caps);
    }
    plain.push({ index: line.index, command });
  }
  return feedPlain(sql, plain, of.caps);
}

/** Null where this version does not read the line: what was valid when it was stored may be so no longer. */
function commandOf(
  { tenantId, limits, batch }: { tenantId: string; limits: Limits; batch: FedBatch },
  { request }: StoredLine,
): PlainCommand | null {
  const line = requestSchema.safeParse(parseJson(request));
  const defaults = batchDefaultsSchema.safeParse(batch.defaults);
  if (!line.success || !defaults.success) return null;
  return {
    tenantId,
    limits,
    requested: requestedBy(lineWithDefaults(line.data, defaults.data), BATCH_PRIORITY),
    batchId: batch.id,
    idempotency: null,
    traceparent: null,
  };
}

/** The turn that a line asks for, with its defaults. It was checked when the batch was accepted. */
export function requestedBy(line: ReturnType<typeof lineWithDefaults>, priority: number): PlainTurn {
  const {
    session_id: sessionId,
    agent_id: agentId,
    session_metadata,
    session_budget_micros,
    user_id,
    ...turn
  } = line;
  const submission = { ...turn, priority: turn.priority ?? priority };
  if (sessionId !== undefined) {
    return { of: 'session', sessionId, submission: { ...submission, multitask_strategy: 'enqueue' } };
  }
  return {
    of: 'new_session',
    submission: { ...submission, agent_id: agentId ?? '', session_metadata, session_budget_micros, user_id },
  };
}

/** A line that must look at its session or at files has the locks of its transaction to itself. */
function isSpecial({ requested }: PlainCommand): boolean {
  if (requested.of !== 'new_session') return true;
  return fileIdsIn(inputBlocks(requested.submission.input)).length > 0;
}

function refuseUnreadable({ index }: StoredLine): Promise<FedLines> {
  const error = { code: 'line_unreadable', message: 'This version of the service does not take the line.' };
  return Promise.resolve(refused(index, error));
}

function refused(index: number, { code, message }: { code: string; message: string }): FedLines {
  return { ...NOTHING, lines: [{ index, turnId: null, error: { code, message } }] };
}

/** Turns that create their sessions. Where one of them cannot be stored, each is tried by itself. */
async function feedPlain(sql: Sql, lines: readonly Line[], caps: Caps): Promise<FedLines> {
  const [first] = lines;
  if (first === undefined) return NOTHING;
  try {
    return await savepoint(sql, () => insertPlain(sql, lines, caps));
  } catch (error) {
    if (!(error instanceof TerminalError)) throw error;
    if (lines.length === 1) return refused(first.index, error);
  }
  let fed = NOTHING;
  for (const line of lines) {
    const { lines: one, counted, wait } = await feedPlain(sql, [line], caps);
    fed = { ...fed, lines: [...fed.lines, ...one], counted, wait };
    if (wait !== null) break;
  }
  return fed;
}

/** In one statement where nothing is counted. */
async function insertPlain(sql: Sql, lines: readonly Line[], caps: Caps): Promise<FedLines> {
  const isCounted = caps.waiting !== null || caps.sessions !== null;
  // Counted, they are added one by one, as other submits.
  const chosen = isCounted ? lines.slice(0, 1) : lines;
  const submissions = chosen.map(({ command }) => ({
    turn: newTurn(command, caps, newId('session')),
    request: null,
  }));
  const outcomes = await insertTurns(sql, submissions);
  const fed: FedLine[] = [];
  let { counted } = NOTHING;
  const result = (wait: BatchWait | null): FedLines => ({
    ...NOTHING,
    lines: fed,
    counted,
    wait,
    isAlone: isCounted,
  });
  for (const [place, { index, command }] of chosen.entries()) {
    const outcome = outcomes[place];
    if (outcome === undefined) break;
    if (outcome.turn !== null) {
      counted = outcome.counted;
      fed.push({ index, turnId: outcome.turn.id, error: null });
      continue;
    }
    const sessionId = submissions[place]?.turn.sessionId ?? '';
    const rejection = await rejectionUnderLocks(sql, command, sessionId, outcome.refusal, caps);
    const wait = waitFor(rejection);
    if (wait !== null) return result(wait);
    fed.push({ index, turnId: null, error: { code: rejection.code, message: rejection.message } });
  }
  return result(null);
}

async function feedSpecial(sql: Sql, { index, command }: Line, caps: Caps): Promise<FedLines> {
  try {
    const { turn, counted } = await savepoint(sql, () => acceptUnderLocks(sql, command, caps));
    return {
      ...NOTHING,
      lines: [{ index, turnId: turn.id, error: null }],
      counted: counted ?? NOTHING.counted,
      followed: command.requested.of === 'session' ? [{ sessionId: turn.session_id, turnId: turn.id }] : [],
      isAlone: true,
    };
  } catch (error) {
    if (error instanceof ProblemError) {
      const wait = waitFor(error);
      return wait === null
        ? { ...refused(index, error), isAlone: true }
        : { ...NOTHING, wait, isAlone: true };
    }
    if (error instanceof TerminalError) return { ...refused(index, error), isAlone: true };
    throw error;
  }
}

/** What a line waits for, where it may become a turn later; null where it never can. */
function waitFor({ code }: ProblemError): BatchWait | null {
  return code === 'queue_full' || code === 'session_limit' || code === 'file_not_ready' ? code : null;
}
