import {
  isFinal,
  metadataSchema,
  type Metadata,
  type SubmitToolOutputs,
  type Turn,
} from '@turnpike/contract';
import { refused, type Accepted, type Once } from '@turnpike/dialect-base';
import { answerOf } from './answer-task.ts';
import { defineMethod, hasContext, readTask, type Answer, type Asked } from './method.ts';
import { addPushConfig } from './push-configs.ts';
import { followTask, showTask } from './read-task.ts';
import { RefusedError } from './refusals.ts';
import { sendMessageSchema, type RequestMessage, type SendMessageRequest } from './requests.ts';
import { toBlocks } from './to-blocks.ts';

export const sendMessage = defineMethod({
  name: 'SendMessage',
  scope: 'turns:write',
  params: sendMessageSchema,
  async answer(asked, request): Promise<Answer> {
    const { turn } = await submit(asked, request);
    const { historyLength, returnImmediately = false } = request.configuration ?? {};
    const { turns } = asked.useCases;
    const now = returnImmediately ? await turns.read(turn.id) : await turns.settled(turn.id, asked.waitMs);
    return { result: { task: await showTask(asked, now, { historyLength, artifacts: true }) } };
  },
});

export const sendStreamingMessage = defineMethod({
  name: 'SendStreamingMessage',
  scope: 'turns:write',
  params: sendMessageSchema,
  async answer(asked, request): Promise<Answer> {
    const { turn } = await submit(asked, request);
    return followTask(asked, turn.id, request.configuration?.historyLength);
  },
});

/** Gives the message to its agent, once, and adds the push configuration to the task that it is of. */
async function submit(asked: Asked, request: SendMessageRequest): Promise<Accepted> {
  const config = request.configuration?.taskPushNotificationConfig;
  const accepted = await accept(asked, request);
  // It comes after the turn, and a message that is sent again adds it again: so it is there where the client has a task.
  if (config !== undefined)
    await addPushConfig(asked, accepted.turn.id, config, 'configuration.taskPushNotificationConfig');
  return accepted;
}

/** The turn that a message became, or that it goes on with. */
async function accept(asked: Asked, request: SendMessageRequest): Promise<Accepted> {
  const { message, configuration = {} } = request;
  const config = configuration.taskPushNotificationConfig;
  if (config !== undefined)
    asked.useCases.pushConfigs.check(config.url, 'configuration.taskPushNotificationConfig.url');
  checkOutputModes(asked, configuration.acceptedOutputModes ?? []);
  if ((message.extensions ?? []).length > 0)
    throw new RefusedError(
      'UNSUPPORTED_OPERATION',
      'No extension is supported: message.extensions must be empty.',
    );
  const once = onceOf(asked, request);
  return asked.useCases.turns.accept(() => give(asked, request, once), once);
}

async function give(asked: Asked, request: SendMessageRequest, once: Once): Promise<Accepted> {
  const { message } = request;
  const metadata = metadataOf(request);
  const task = given(message.taskId) === undefined ? null : await readTask(asked, message.taskId ?? '');
  const contextId = given(message.contextId) ?? task?.session_id;
  if (task !== null && contextId !== task.session_id)
    throw refused('message.contextId', `must be ${task.session_id}, the context of the task`);
  if (task === null && contextId !== undefined && !(await hasContext(asked, contextId)))
    throw refused('message.contextId', 'is no context of this agent: leave it out to begin one');
  await checkReferences(asked, message, contextId);
  const { turns } = asked.useCases;
  if (task !== null) return turns.answer(task.id, outputsOf(task, message), once);
  const submission = { input: toBlocks(message.parts, 'message.parts'), metadata };
  return turns.submit(
    contextId === undefined
      ? { of: 'new_session', submission: { ...submission, agent_id: asked.agent.id } }
      : { of: 'session', sessionId: contextId, submission: { ...submission, multitask_strategy: 'enqueue' } },
    once,
  );
}

/** What a message gives to the task that waits for it. Throws where the task does not, or no longer. */
function outputsOf({ required_action: action, status }: Turn, message: RequestMessage): SubmitToolOutputs {
  if (action === null || status !== 'requires_action') {
    const state = isFinal(status) ? 'has ended' : 'needs no input now';
    const advice =
      'Send the message without taskId, with its contextId: it becomes the next task of the conversation.';
    throw new RefusedError('UNSUPPORTED_OPERATION', `The task ${state}. ${advice}`);
  }
  if (Object.keys(metadataOf({ message })).length > 0)
    throw refused('message.metadata', 'is refused: the task keeps what it was sent with');
  return answerOf(action, message);
}

/** In JSON, a field with an empty text says the same as none. */
const given = (text: string | undefined): string | undefined => (text === '' ? undefined : text);

/** Of the messages with one id, an agent is given one. */
function onceOf({ agent }: Asked, { message, metadata }: SendMessageRequest): Once {
  const { messageId, ...means } = message;
  return { scope: `A2A ${agent.id}`, key: messageId, means: { ...means, of: metadata ?? {} } };
}

/** The labels of the turn: those of the message, and those of the request. */
function metadataOf({ message, metadata = {} }: Pick<SendMessageRequest, 'message' | 'metadata'>): Metadata {
  const parsed = metadataSchema.safeParse({ ...metadata, ...message.metadata });
  if (parsed.success) return parsed.data;
  throw refused('metadata', 'must be up to 16 strings, together with those of the message');
}

function checkOutputModes({ agent }: Asked, modes: readonly string[]): void {
  const written = ['text/plain', ...(agent.output_format === undefined ? [] : ['application/json'])];
  const takes = (mode: string): boolean =>
    written.some((each) => [each, each.replace(/\/.*/, '/*'), '*/*', 'text'].includes(mode.toLowerCase()));
  if (modes.length === 0 || modes.some(takes)) return;
  throw new RefusedError('CONTENT_TYPE_NOT_SUPPORTED', `The agent writes ${written.join(' and ')} alone.`);
}

/** What a conversation has is known to its next task; a task of another one would not be. */
async function checkReferences(
  asked: Asked,
  { referenceTaskIds = [] }: RequestMessage,
  contextId: string | undefined,
): Promise<void> {
  for (const id of referenceTaskIds) {
    const { session_id: context } = await readTask(asked, id);
    if (context !== contextId)
      throw new RefusedError(
        'UNSUPPORTED_OPERATION',
        `The task ${id} is of another context, which the agent does not see.`,
      );
  }
}
