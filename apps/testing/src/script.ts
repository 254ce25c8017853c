/** One reply of the model: a text, or what `callTool` and `say` return; an array of them is one reply with all of it. */
export type ScriptedReply = string | ReplyPart | readonly (string | ReplyPart)[];

/** A part of a reply. */
export type ReplyPart =
  | { readonly type: 'text'; readonly text: string }
  | { readonly type: 'call'; readonly name: string; readonly input: unknown };

/** The model calls a tool. */
export function callTool(name: string, input: Record<string, unknown> = {}): ReplyPart {
  return { type: 'call', name, input };
}

/** The model writes a text; beside calls, in one reply. */
export function say(text: string): ReplyPart {
  return { type: 'text', text };
}
