import type { Block, RequestMessage, Tool } from '../request-schema.ts';

/** A request whose parts are well-formed, each by itself. */
export interface ReadRequest {
  fields: {
    model: string;
    max_tokens?: number | undefined;
    tools?: unknown;
    stop_sequences?: unknown;
    temperature?: unknown;
    top_p?: unknown;
    top_k?: unknown;
    thinking?: { type: string } | undefined;
    tool_choice?: { type: string } | undefined;
    speed?: string | null | undefined;
    inference_geo?: string | null | undefined;
    context_management?: { edits?: { type: string }[] | undefined } | null | undefined;
    output_config?:
      | {
          effort?: string | null | undefined;
          format?: { schema: Record<string, unknown> } | null | undefined;
        }
      | undefined;
  };
  /** Neighbours of one role are one message. */
  messages: readonly RequestMessage[];
  tools: readonly Tool[];
  /** Thinking is asked for. */
  thinks: boolean;
  /** What the `anthropic-beta` header names. */
  betas: readonly string[];
}

export interface Rule {
  /** What is refused, in a few words. */
  name: string;
  /** The API's message for the first block that breaks the rule; null where none does. */
  refuses(request: ReadRequest): string | null;
}

/** A rule about each block by itself. */
export function blockRule(
  name: string,
  refuses: (block: Block & Record<string, unknown>, path: string, request: ReadRequest) => string | null,
): Rule {
  return {
    name,
    refuses(request) {
      for (const { index, content } of request.messages) {
        for (const [position, block] of content.entries()) {
          const refusal = refuses({ ...block }, `messages.${index}.content.${position}`, request);
          if (refusal !== null) return refusal;
        }
      }
      return null;
    },
  };
}
