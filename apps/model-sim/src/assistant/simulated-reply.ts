import { textOfMessage } from '../read-facts.ts';
import { isToolResultBlock } from '../request-schema.ts';
import type { MessagesRequest } from '../request-schema.ts';
import type { Reply } from '../script.ts';
import { chooseToolUses } from './choose-tool-uses.ts';
import { describeToolResults } from './describe-tool-results.ts';

const MAX_QUOTE = 300;

/** What the assistant says when no rule does: it uses the tools it is given, and says what it is. */
export function simulatedReply(request: MessagesRequest): Reply {
  const last = request.messages.at(-1);
  const text = last?.role === 'user' ? textOfMessage(last).trim() : '';
  if (last?.content.some(isToolResultBlock) === true) {
    const results = describeToolResults(request.messages);
    return {
      thinking: 'The tools have answered.',
      text: text === '' ? results : `${results}\n\n${plainAnswer(text)}`,
    };
  }
  const uses = chooseToolUses(text, request);
  if (uses.length > 0) {
    const names = uses.map((use) => use.name).join(' and ');
    return {
      thinking: `I need ${names} for this.`,
      text: `Let me look that up with ${names}.`,
      tool_uses: uses,
    };
  }
  return { thinking: 'No tool is needed for this.', text: plainAnswer(text) };
}

function plainAnswer(text: string): string {
  if (/^(hi|hello|hey|good (morning|afternoon|evening))\b/i.test(text)) {
    return 'Hello! I am a simulated assistant: no model is behind me, but I can call the tools I am given. What can I do for you?';
  }
  if (/\b(thanks|thank you)\b/i.test(text)) return 'You are welcome. (simulated)';
  if (/\bwho are you\b|\bwhat are you\b|\bwhich model\b/i.test(text)) {
    return 'I am the Turnpike model simulator. I answer in the form of the Anthropic Messages API, without a model.';
  }
  if (text === '') return 'I am here. (simulated)';
  const quote = text.length > MAX_QUOTE ? `${text.slice(0, MAX_QUOTE)}…` : text;
  return `You wrote: “${quote}”. A real model would answer that here. (simulated)`;
}
