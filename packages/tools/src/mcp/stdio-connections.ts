import { SdkErrorCode, SdkError, type PriorDiscovery, type RequestId } from '@modelcontextprotocol/client';
import { StdioClientTransport } from '@modelcontextprotocol/client/stdio';
import { TerminalError, type TurnLogger } from '@turnpike/contract';
import { describeFailure } from '../describe-failure.ts';
import { pause } from '../http/send-call.ts';
import { isCall, watchResponses, type WatchedTransport } from './call-watch.ts';
import type { ConnectionOwner, Connections, TakeOptions } from './connections.ts';
import { connectOver, type McpConnection } from './mcp-connection.ts';
import type { OpenedServer } from './open-server.ts';
import { watchMemory } from './process-memory.ts';

/** How a server is started that speaks on its standard input and output. */
export interface StdioCommand {
  name: string;
  command: string;
  args: readonly string[];
  /** All that it gets of an environment, beside `PATH`, `HOME` and what else every program has. */
  env: Readonly<Record<string, string>>;
  cwd: string | null;
  /** How many processes there are at most. One serves one call at a time. */
  processes: number;
  /** Of one process and what it starts. One that holds more is ended. */
  maxMemoryBytes: number;
  startTimeoutMs: number;
}

const IDLE_MS = 60_000;
/** Of one message. */
const MOST_MESSAGE_BYTES = 16_777_216;
const MOST_LOG_CHARACTERS = 1_000;
/** A server that ended by itself is started again after this, doubled each time. */
const FIRST_WAIT_MS = 500;
const MOST_WAIT_MS = 30_000;

interface Process {
  connection: McpConnection;
  transport: StdioClientTransport;
  idleTimer: NodeJS.Timeout | null;
  stopWatching(): void;
}

/** The processes of one server, which are started when they are needed, and end with the worker. */
export class StdioConnections implements Connections {
  readonly #command: StdioCommand;
  readonly #logger: TurnLogger;
  readonly #processes = new Map<McpConnection, Process>();
  readonly #idle: Process[] = [];
  readonly #waiting: (() => void)[] = [];
  readonly #closing = new Set<Promise<void>>();
  readonly #starting = new Set<StdioClientTransport>();
  #ends = 0;
  #startsAt = 0;
  #isClosed = false;
  #discovered: PriorDiscovery | null = null;
  readonly #killAll = (): void => {
    for (const { pid } of [
      ...this.#starting,
      ...[...this.#processes.values()].map(({ transport }) => transport),
    ]) {
      if (pid !== null) killNow(pid);
    }
  };

  constructor(command: StdioCommand, logger: TurnLogger) {
    this.#command = command;
    this.#logger = logger;
    // Whatever ends the worker, except `kill -9`: then they see the end of their input.
    process.on('exit', this.#killAll);
  }

  async take(
    _server: OpenedServer,
    _owner: ConnectionOwner,
    { signal, timeoutMs, fresh = false }: TakeOptions,
  ): Promise<McpConnection> {
    for (;;) {
      signal.throwIfAborted();
      if (this.#isClosed) throw new TerminalError('mcp_server_closed', `${this.#command.name} was closed.`);
      const idle = fresh ? undefined : this.#idle.pop();
      if (idle !== undefined) {
        if (idle.idleTimer !== null) clearTimeout(idle.idleTimer);
        idle.connection.reused = true;
        return idle.connection;
      }
      if (this.#processes.size + this.#starting.size + this.#closing.size < this.#command.processes) {
        return this.#start(signal, Math.min(timeoutMs, this.#command.startTimeoutMs));
      }
      const [first] = this.#idle;
      if (fresh && first !== undefined) this.discard(first.connection);
      await this.#untilFree(signal);
    }
  }

  giveBack(connection: McpConnection): void {
    const found = this.#processes.get(connection);
    if (found === undefined) return;
    connection.onQuestion = null;
    connection.transport.watch = null;
    this.#ends = 0;
    found.idleTimer = setTimeout(() => this.discard(connection), IDLE_MS).unref();
    this.#idle.push(found);
    this.#waiting.shift()?.();
  }

  discard(connection: McpConnection): void {
    this.#drop(connection);
    this.#end(connection.client.close());
  }

  async close(): Promise<void> {
    this.#isClosed = true;
    for (const connection of this.#processes.keys()) this.discard(connection);
    for (const wake of this.#waiting.splice(0)) wake();
    await Promise.all(this.#closing);
    process.off('exit', this.#killAll);
  }

  async #start(signal: AbortSignal, timeoutMs: number): Promise<McpConnection> {
    const { name, command, args, env, cwd } = this.#command;
    const transport = new StdioClientTransport({
      command,
      args: [...args],
      env: { ...env },
      stderr: 'pipe',
      maxBufferSize: MOST_MESSAGE_BYTES,
      ...(cwd === null ? {} : { cwd }),
    });
    transport.stderr?.on('data', (chunk: Buffer) => {
      const text = chunk.toString().slice(0, MOST_LOG_CHARACTERS);
      this.#logger.debug('An MCP server wrote to its standard error.', { mcp_server: name, text });
    });
    this.#starting.add(transport);
    const stopWatching = this.#watchMemory(transport);
    try {
      const waitMs = this.#startsAt - performance.now();
      if (waitMs >= timeoutMs) throw new Error(`${name} keeps ending, and is started again in a while.`);
      if (waitMs > 0) await pause(waitMs, signal);
      const connection = await connectOver(watched(transport), {
        signal,
        timeoutMs,
        discovered: this.#discovered,
      });
      this.#discovered = connection.discovered;
      this.#processes.set(connection, { connection, transport, idleTimer: null, stopWatching });
      // oxlint-disable-next-line unicorn/prefer-add-event-listener -- the client is no event target
      connection.client.onclose = () => {
        if (this.#processes.has(connection)) this.#endedByItself();
        this.#drop(connection);
      };
      return connection;
    } catch (error) {
      this.#discovered = null;
      stopWatching();
      this.#end(transport.close());
      signal.throwIfAborted();
      if (this.#startsAt <= performance.now()) this.#endedByItself();
      throw error;
    } finally {
      this.#starting.delete(transport);
    }
  }

  /** What such a process was at work on has ended without a response, as when it ends by itself. */
  #watchMemory(transport: StdioClientTransport): () => void {
    const { name, maxMemoryBytes } = this.#command;
    return watchMemory(
      () => transport.pid,
      maxMemoryBytes,
      ({ bytes, pids }) => {
        const fields = { mcp_server: name, memory_bytes: bytes, limit_bytes: maxMemoryBytes };
        this.#logger.warn('An MCP server exceeds its memory, and is ended.', fields);
        for (const pid of pids) killNow(pid);
      },
    );
  }

  #endedByItself(): void {
    this.#ends += 1;
    const waitMs = Math.min(MOST_WAIT_MS, FIRST_WAIT_MS * 2 ** (this.#ends - 1));
    // The first time it is started again at once: it may have ended for a reason of its own.
    if (this.#ends > 1) this.#startsAt = performance.now() + waitMs;
  }

  #drop(connection: McpConnection): void {
    const found = this.#processes.get(connection);
    if (found === undefined) return;
    if (found.idleTimer !== null) clearTimeout(found.idleTimer);
    found.stopWatching();
    this.#processes.delete(connection);
    const place = this.#idle.indexOf(found);
    if (place >= 0) this.#idle.splice(place, 1);
    this.#waiting.shift()?.();
  }

  /** A process that is ending still counts as one. */
  #end(closing: Promise<void>): void {
    const closed = closing
      .catch((error: unknown) =>
        this.#logger.debug('An MCP server could not be closed.', describeFailure(error)),
      )
      .finally(() => {
        this.#closing.delete(closed);
        this.#waiting.shift()?.();
      });
    this.#closing.add(closed);
  }

  async #untilFree(signal: AbortSignal): Promise<void> {
    let wake = (): void => undefined;
    const free = new Promise<void>((resolve) => {
      wake = resolve;
    });
    this.#waiting.push(wake);
    signal.addEventListener('abort', wake, { once: true });
    try {
      await free;
    } finally {
      signal.removeEventListener('abort', wake);
      const place = this.#waiting.indexOf(wake);
      if (place >= 0) this.#waiting.splice(place, 1);
      // It was woken, and does not take what is free.
      else if (signal.aborted) this.#waiting.shift()?.();
    }
  }
}

/**
 * Tells of its call. The object is changed and not its class: the client starts a second process of the very class to
 * find out which protocol a server speaks.
 */
function watched(transport: StdioClientTransport): WatchedTransport {
  const own: WatchedTransport = Object.assign(transport, {
    watch: null,
    callId: null,
    pages: null,
    pageIds: new Set<RequestId>(),
  });
  const send = transport.send.bind(transport);
  own.send = (message) => {
    if (isCall(own, message)) own.watch?.beforeSend();
    if (Array.isArray(message)) throw new SdkError(SdkErrorCode.SendFailed, 'Batches are not sent.');
    return send(message);
  };
  watchResponses(own);
  return own;
}

function killNow(pid: number): void {
  try {
    process.kill(pid, 'SIGKILL');
  } catch {
    // It has ended.
  }
}
