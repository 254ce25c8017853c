import { RetryableError, TerminalError } from '@turnpike/contract';

/** Head of a response, its pings and the like. */
const FRAME_BYTES = 256 * 1024;
/**
 * What an output token takes in a stream at most, with the event around it: gateways send one event for each, about
 * 130 bytes, and write what is no ASCII as six bytes a character.
 */
const BYTES_OF_TOKEN = 256;

/** Bytes of responses that are under way in one worker. */
export interface ResponseMemoryLimits {
  ofTenant: number;
  ofAll: number;
}

export const RESPONSE_MEMORY: ResponseMemoryLimits = {
  ofTenant: 64 * 1024 * 1024,
  ofAll: 256 * 1024 * 1024,
};

/** Of one response. */
export interface ResponseMeter {
  /**
   * So many bytes more have come. Throws `TerminalError` (`model_response_too_large`) for what no response with these
   * `max_tokens` has, and `RetryableError` (`model_busy`) where too much is under way.
   */
  take(bytes: number): void;
  /** The response is over. */
  close(): void;
}

/** Counts what the responses of models that are under way hold: a tenant's gateway says how much that is. */
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
      take: (bytes) => {
        held += bytes;
        this.#change(tenantId, bytes);
        if (held > most) throw new TerminalError('model_response_too_large', TOO_LARGE);
        const ofTenant = this.#ofTenants.get(tenantId) ?? 0;
        if (ofTenant > this.#limits.ofTenant || this.#ofAll > this.#limits.ofAll) {
          throw new RetryableError('model_busy', 'Too much of other model responses is under way.');
        }
      },
      close: () => {
        this.#change(tenantId, -held);
        held = 0;
      },
    };
  }

  #change(tenantId: string, bytes: number): void {
    this.#ofAll += bytes;
    const ofTenant = (this.#ofTenants.get(tenantId) ?? 0) + bytes;
    if (ofTenant > 0) this.#ofTenants.set(tenantId, ofTenant);
    else this.#ofTenants.delete(tenantId);
  }
}

const TOO_LARGE = 'The model response is larger than one with these max_tokens can be.';
