import { MOST_PUSH_CONFIGS } from '@turnpike/contract';

/** What becomes of a method or of a field: `different` says in which way. */
export type Fate = 'mapped' | 'different' | 'refused' | 'not used';

export interface Row {
  fate: Fate;
  how: string;
}

const mapped = (how: string): Row => ({ fate: 'mapped', how });
const different = (how: string): Row => ({ fate: 'different', how });
const refused = (how: string): Row => ({ fate: 'refused', how });
const notUsed = (how: string): Row => ({ fate: 'not used', how });

const NO_TENANT = refused('Unless empty: agents have paths of their own, and their cards name no tenant.');
const LENGTH = mapped('The newest messages, at most. 0: none.');
const NONE = notUsed('Never sent.');

/** The methods, with their paths in HTTP+JSON under the URL of the agent. */
export const METHOD_ROWS: Record<string, Row & { path: string }> = {
  SendMessage: {
    path: 'POST /message:send',
    ...different(
      'Submits a turn, once for each `messageId`, or answers one that waits for input. It waits for the turn for `DIALECT_WAIT_MS` at most, and then returns the task as it is. It never returns a message.',
    ),
  },
  SendStreamingMessage: {
    path: 'POST /message:stream',
    ...mapped(
      'As SendMessage, followed by the updates of the task. The stream ends with the task, and where it needs input.',
    ),
  },
  GetTask: { path: 'GET /tasks/{id}', ...mapped('A turn, as it is.') },
  ListTasks: {
    path: 'GET /tasks',
    ...different('The tasks of the agent in the order in which they were submitted, newest first.'),
  },
  CancelTask: {
    path: 'POST /tasks/{id}:cancel',
    ...mapped('A task that is running is `WORKING` until its worker has stopped, and then `CANCELED`.'),
  },
  SubscribeToTask: {
    path: 'GET, POST /tasks/{id}:subscribe',
    ...mapped('The task as it is, then each update after that: nothing is missing, and nothing comes twice.'),
  },
  CreateTaskPushNotificationConfig: {
    path: 'POST /tasks/{id}/pushNotificationConfigs',
    ...mapped(
      `At most ${MOST_PUSH_CONFIGS} of a task. One with the id of another replaces it, and what was not sent to that one is not sent any more.`,
    ),
  },
  GetTaskPushNotificationConfig: {
    path: 'GET /tasks/{id}/pushNotificationConfigs/{configId}',
    ...different('Without `token` and `credentials`, which are stored sealed and never shown.'),
  },
  ListTaskPushNotificationConfigs: {
    path: 'GET /tasks/{id}/pushNotificationConfigs',
    ...different('All of them on one page, without `token` and `credentials`.'),
  },
  DeleteTaskPushNotificationConfig: {
    path: 'DELETE /tasks/{id}/pushNotificationConfigs/{configId}',
    ...different(
      'What was not sent yet is not sent any more. One that is not there, or no longer, is not found.',
    ),
  },
  GetExtendedAgentCard: {
    path: 'GET /extendedAgentCard',
    ...mapped('Name, version and label `description` of the agent. Its prompt and its tools are not shown.'),
  },
};

/** Every field of every object, by the names of `a2a.proto` in JSON. */
export const FIELD_ROWS: Record<string, Record<string, Row>> = {
  SendMessageRequest: {
    tenant: NO_TENANT,
    message: mapped('Below.'),
    configuration: mapped('Below.'),
    metadata: different(
      'With `message.metadata`: the labels of the turn, up to 16 strings. Others are refused.',
    ),
  },
  SendMessageConfiguration: {
    acceptedOutputModes: mapped(
      'Refused (`ContentTypeNotSupported`) where neither `text/plain` nor, for an agent with an output format, `application/json` is among them.',
    ),
    taskPushNotificationConfig: mapped('As CreateTaskPushNotificationConfig, once the turn is there.'),
    historyLength: LENGTH,
    returnImmediately: mapped('The response does not wait for the turn.'),
  },
  Message: {
    messageId: different('The idempotency key. In a history a message has the id of our message instead.'),
    contextId: mapped('The session. Without one, a new session. A name of the client’s own is refused.'),
    taskId: different(
      'A task that needs input is answered. Others are refused (`UnsupportedOperation`): the next message of a conversation has its `contextId` alone.',
    ),
    role: mapped('`ROLE_USER` from clients.'),
    parts: mapped(
      'Input of the turn. To a task that needs input: a text or a file is the output of the one call that is waited for, or the answer to its question; one data part `{ "tool_outputs": [...] }` answers calls by their ids, and approves or denies them.',
    ),
    metadata: different('The labels of the turn, which are the metadata of its task. Refused in an answer.'),
    extensions: refused('Unless empty: there are none.'),
    referenceTaskIds: different('Tasks of the same context, which the agent knows. Others are refused.'),
  },
  Part: {
    content: different(
      '`text`; `data`, as the text of its JSON; `raw` and `url` of images and PDFs; `raw` of texts, as documents. Other media types are refused (`ContentTypeNotSupported`).',
    ),
    metadata: refused('Unless empty.'),
    filename: different('The title of a document. Of an image it is not kept.'),
    mediaType: mapped('Needed for files.'),
  },
  Task: {
    id: mapped('The id of the turn.'),
    contextId: mapped('The id of its session.'),
    status: mapped('Below.'),
    artifacts: mapped(
      'The text of each model call, `text-0` and so on: the last one is the answer. Of an agent with an output format also `value`.',
    ),
    history: different(
      'The messages of the client. What the agent says is in artifacts, and answers are not in it.',
    ),
    metadata: mapped('The labels of the turn.'),
  },
  TaskStatus: {
    state: different(
      '`queued` is `SUBMITTED`, `in_progress` and `cancelling` are `WORKING`, `requires_action` is `INPUT_REQUIRED`, `completed` is `COMPLETED`, or `REJECTED` where the model refused, `cancelled` is `CANCELED`, `failed` and `incomplete` are `FAILED`. `AUTH_REQUIRED` does not occur.',
    ),
    message: mapped(
      'With `INPUT_REQUIRED`: what is needed, as text and as the calls that wait. With `FAILED`: why.',
    ),
    timestamp: different('When the turn ended, began or was submitted.'),
  },
  Artifact: {
    artifactId: mapped('The same in streams and in tasks.'),
    name: mapped('`text` or `value`.'),
    description: NONE,
    parts: mapped('One part: a text, or data.'),
    metadata: NONE,
    extensions: NONE,
  },
  TaskStatusUpdateEvent: {
    taskId: mapped('The turn.'),
    contextId: mapped('The session.'),
    status: mapped('Sent where the state changes.'),
    metadata: NONE,
  },
  TaskArtifactUpdateEvent: {
    taskId: mapped('The turn.'),
    contextId: mapped('The session.'),
    artifact: mapped('The next piece of a text.'),
    append: mapped(
      'False for the first piece, and for the first one after the model had to begin again: it replaces what was sent.',
    ),
    lastChunk: mapped('True with what is committed.'),
    metadata: NONE,
  },
  GetTaskRequest: { tenant: NO_TENANT, id: mapped('The turn.'), historyLength: LENGTH },
  ListTasksRequest: {
    tenant: NO_TENANT,
    contextId: mapped('The session.'),
    status: different(
      'A page of `COMPLETED` or `REJECTED` may have fewer tasks than it could: both are filtered from completed turns.',
    ),
    pageSize: mapped('1 to 100; 50 if it is left out.'),
    pageToken: mapped('Of the page before.'),
    historyLength: different('As elsewhere, but 0 if it is left out.'),
    statusTimestampAfter: refused('Tasks are not listed by the time of their status.'),
    includeArtifacts: mapped('False if it is left out.'),
  },
  ListTasksResponse: {
    tasks: mapped('One page.'),
    nextPageToken: mapped('Empty on the last page.'),
    pageSize: mapped('As it was asked for.'),
    totalSize: different('Counted up to 10,000; with `COMPLETED` and `REJECTED` it counts both.'),
  },
  CancelTaskRequest: { tenant: NO_TENANT, id: mapped('The turn.'), metadata: refused('Unless empty.') },
  SubscribeToTaskRequest: { tenant: NO_TENANT, id: mapped('The turn.') },
  TaskPushNotificationConfig: {
    tenant: NO_TENANT,
    id: mapped('The client’s, or one that is made.'),
    taskId: mapped('The turn.'),
    url: mapped(
      'Checked as the URLs of webhooks are. Notifications are deliveries: they are retried, listed and redelivered as webhooks are.',
    ),
    token: different('Sent as `X-A2A-Notification-Token`, and never shown.'),
    authentication: mapped('Sent as `Authorization`.'),
  },
  AuthenticationInfo: {
    scheme: mapped('Sent before the credentials.'),
    credentials: different('Stored sealed, and never shown.'),
  },
  GetTaskPushNotificationConfigRequest: {
    tenant: NO_TENANT,
    taskId: mapped('The turn.'),
    id: mapped('Its id.'),
  },
  ListTaskPushNotificationConfigsRequest: {
    tenant: NO_TENANT,
    taskId: mapped('The turn.'),
    pageSize: notUsed('There is one page.'),
    pageToken: refused('Unless empty: there is one page.'),
  },
  DeleteTaskPushNotificationConfigRequest: {
    tenant: NO_TENANT,
    taskId: mapped('The turn.'),
    id: mapped('Its id.'),
  },
  GetExtendedAgentCardRequest: { tenant: NO_TENANT },
  AgentCard: {
    name: mapped('The name of the agent; in the public card its id.'),
    description: mapped('Its label `description`.'),
    supportedInterfaces: mapped('JSONRPC and HTTP+JSON, at the address that the client has used.'),
    provider: NONE,
    version: mapped('The version of the agent.'),
    documentationUrl: NONE,
    capabilities: mapped('Below.'),
    securitySchemes: mapped('HTTP Bearer: an API key.'),
    securityRequirements: mapped('The API key.'),
    defaultInputModes: mapped('Texts, JSON, images and PDF.'),
    defaultOutputModes: mapped('`text/plain`; with an output format also `application/json`.'),
    skills: different('One: to converse. The tools of an agent are not shown.'),
    signatures: notUsed('Cards are not signed.'),
    iconUrl: NONE,
  },
  AgentCapabilities: {
    streaming: mapped('True.'),
    pushNotifications: mapped('True.'),
    extensions: notUsed('There are none; `A2A-Extensions` is ignored, as the protocol says.'),
    extendedAgentCard: mapped('True.'),
  },
  AgentInterface: {
    url: mapped('`/a2a/{agent_id}` for both bindings.'),
    protocolBinding: mapped('`JSONRPC`, `HTTP+JSON`. There is no gRPC.'),
    tenant: NONE,
    protocolVersion: mapped('`1.0`. A request in another version is refused (`VersionNotSupported`).'),
  },
  AgentSkill: {
    id: mapped('`converse`.'),
    name: mapped('That of the agent.'),
    description: mapped('That of the agent.'),
    tags: mapped('`conversation`.'),
    examples: NONE,
    inputModes: NONE,
    outputModes: NONE,
    securityRequirements: NONE,
  },
};
