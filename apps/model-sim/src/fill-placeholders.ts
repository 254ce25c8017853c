import type { Facts } from './read-facts.ts';
import type { Reply } from './script.ts';

const PLACEHOLDER = /\{\{(text|session|turn|step|tool_result)\}\}/g;

/** A scripted reply with `{{turn}}` and the like replaced, in its text and in every string of a tool's input. */
export function fillReply(reply: Reply, facts: Facts): Reply {
  return {
    ...reply,
    ...(reply.text === undefined ? {} : { text: fillText(reply.text, facts) }),
    ...(reply.thinking === undefined ? {} : { thinking: fillText(reply.thinking, facts) }),
    ...(reply.tool_uses === undefined
      ? {}
      : {
          tool_uses: reply.tool_uses.map((use) => ({
            ...use,
            input:
              use.input &&
              Object.fromEntries(
                Object.entries(use.input).map(([key, value]) => [key, fillValue(value, facts)]),
              ),
          })),
        }),
  };
}

function fillValue(value: unknown, facts: Facts): unknown {
  if (typeof value === 'string') return fillText(value, facts);
  if (Array.isArray(value)) return value.map((entry: unknown) => fillValue(entry, facts));
  if (typeof value !== 'object' || value === null) return value;
  return Object.fromEntries(Object.entries(value).map(([key, entry]) => [key, fillValue(entry, facts)]));
}

function fillText(text: string, facts: Facts): string {
  return text.replace(PLACEHOLDER, (_, name: string) => {
    if (name === 'text') return facts.text;
    if (name === 'session') return facts.session ?? '';
    if (name === 'turn') return facts.turn ?? '';
    if (name === 'step') return String(facts.step);
    return facts.toolResult;
  });
}
