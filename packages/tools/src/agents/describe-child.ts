import { textOf, type ChildRefusal, type ChildTurn, type ToolOutput } from '@turnpike/contract';
import { boundOutput, type OutputLimits } from '../bound-output.ts';
import { textOutput } from '../tool.ts';

/** What the model is told of a child turn that has ended: its text, or how it failed. Null: it was erased. */
export function describeChild(name: string, child: ChildTurn | null, limits: OutputLimits): ToolOutput {
  const { text, isError } = child === null ? ERASED : resultOf(name, child);
  const content = [{ type: 'text', text }];
  return boundOutput({ content, isError }, limits) ?? textOutput(text, isError);
}

interface Result {
  text: string;
  isError: boolean;
}

const ERASED: Result = { text: 'The session of this call was erased, so it has no result.', isError: true };

function resultOf(name: string, { status, stopReason, output, error }: ChildTurn): Result {
  const said = output === null ? '' : textOf(output);
  if (status === 'completed') {
    return { text: said.trim() === '' ? `${name} ended without a text.` : said, isError: false };
  }
  const reason = error === null ? (stopReason ?? status) : `${error.code}: ${error.message}`;
  const ending = `${name} ended as ${status} (${reason}).`;
  return { text: said.trim() === '' ? ending : `${ending} It had written:\n\n${said}`, isError: true };
}

/** What the model is told of a call that got no child turn. Nothing was done. */
export function describeRefusal(name: string, refusal: ChildRefusal): ToolOutput {
  return textOutput(`${name} was not called: ${reasonOf(refusal)}. Nothing was done.`, true);
}

function reasonOf(refusal: ChildRefusal): string {
  switch (refusal.reason) {
    case 'agent_deleted':
      return 'its agent was deleted';
    case 'max_child_depth':
      return `agents may call agents ${refusal.limit} levels deep, and this is the last of them`;
    case 'max_child_turns':
      return `one turn may make ${refusal.limit} calls of agents, and they are used up`;
    case 'max_sessions':
      return `there are ${refusal.limit} sessions, which is the limit`;
    default:
      return refusal satisfies never;
  }
}
