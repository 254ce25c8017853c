import { RetryableError, TerminalError } from '@turnpike/contract';

/** The first events of a response, pings and the like. */
const FRAME_BYTES = 256 * 1024;
/**
 * The most that an output token takes in a stream, with its event: gateways send one event for each token, about 130
 * bytes, and escape a non-ASCII character as six bytes.
 */
const BYTES_OF_TOKEN = 256;
/** Kept for each line, however short, until its event ends. */
const BYTES_OF_LINE = 32;
const LINE_FEED = 10;
const CARRIAGE_RETURN = 13;

/** Bytes of responses that are being read in one worker. */
export interface ResponseMemoryLimits {
  ofTenant: number;
  /** Beyond it, only tenants that hold less than an equal share of it may receive more: all together, twice as much. */
  ofAll: number;
}

const RESPONSE_MEMORY: ResponseMemoryLimits = {
  ofTenant: 64 * 1024 * 1024,
  ofAll: 256 * 1024 * 1024,
};

/** Of one response. */
export interface ResponseMeter {
  /**
   * Counts a piece that arrived. Throws `TerminalError` (`model_response_too_large`) if the response is larger than one
   * with these `max_tokens` can be, and `RetryableError` (`model_busy`) if too many bytes are being read at once.
   */
  take(piece: Uint8Array): void;
  /** The response is over. */
  close(): void;
}

/** Counts the bytes of model responses that are being read: a tenant's gateway decides how many there are. */
export class ResponseMemory {
  readonly #limits: ResponseMemoryLimits;
  readonly #ofTenants = new Map<string, number>();
  #ofAll = 0;

  constructor(limits: ResponseMemoryLimits = RESPONSE_MEMORY) {
    this.#limits = limits;
  }

  open(tenantId: string, maxTokens: number): ResponseMeter {
    const most = FRAME_BYTES + maxTokens * BYTES_OF_TOKEN;
    let held = 0;
    return {
      take: (piece) => {
        const bytes = sizeInMemory(piece);
        held += bytes;
        this.#change(tenantId, bytes);
        if (held > most) throw new TerminalError('model_response_too_large', TOO_LARGE);
        if (this.#holdsTooMuch(tenantId)) {
          throw new RetryableError('model_busy', 'Too many bytes of model responses are being read at once.');
        }
      },
      close: () => {
        this.#change(tenantId, -held);
        held = 0;
      },
    };
  }

  #holdsTooMuch(tenantId: string): boolean {
    const { ofTenant, ofAll } = this.#limits;
    const held = this.#ofTenants.get(tenantId) ?? 0;
    return held > ofTenant || (this.#ofAll > ofAll && held > ofAll / this.#ofTenants.size);
  }

  #change(tenantId: string, bytes: number): void {
    this.#ofAll += bytes;
    const ofTenant = (this.#ofTenants.get(tenantId) ?? 0) + bytes;
    if (ofTenant > 0) this.#ofTenants.set(tenantId, ofTenant);
    else this.#ofTenants.delete(tenantId);
  }
}

/** Lines shorter than `BYTES_OF_LINE` take more than their bytes. */
function sizeInMemory(piece: Uint8Array): number {
  let lines = 0;
  for (const byte of piece) if (byte === LINE_FEED || byte === CARRIAGE_RETURN) lines += 1;
  return Math.max(piece.length, lines * BYTES_OF_LINE);
}

const TOO_LARGE = 'The model response is larger than one with these max_tokens can be.';
