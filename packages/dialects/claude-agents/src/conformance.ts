/** What becomes of something that clients know: `different` says in which way. */
export type Fate = 'mapped' | 'different' | 'refused' | 'not used';

export interface Row {
  fate: Fate;
  how: string;
}

const mapped = (how: string): Row => ({ fate: 'mapped', how });
const different = (how: string): Row => ({ fate: 'different', how });
const refused = (how: string): Row => ({ fate: 'refused', how });
const notUsed = (how: string): Row => ({ fate: 'not used', how });

const BETAS = different(
  'Any header `anthropic-beta` or `anthropic-version` is accepted without effect: what a beta adds is a field or a route, and those that are not in these tables are refused.',
);
const WORKSPACE = refused('The header `anthropic-workspace-id`: an API key is of one tenant.');
const HEADERS = { betas: BETAS, workspace_id: WORKSPACE };
const TIME = mapped('Milliseconds count.');
const THREADS = 'a session is one thread';
const CONTAINER = 'there is no container';

/** The methods of `client.beta.agents` and `client.beta.sessions`, with their routes. */
export const ROUTE_ROWS: Record<string, Row & { route: string }> = {
  'agents.create': { route: 'POST /v1/agents', ...mapped('An agent, at version 1.') },
  'agents.retrieve': { route: 'GET /v1/agents/{agent_id}', ...mapped('Also at a version.') },
  'agents.update': {
    route: 'POST /v1/agents/{agent_id}',
    ...mapped(
      'A new version, where something changed. What these clients have no fields for stays: tools of other kinds, limits, allowed overrides.',
    ),
  },
  'agents.list': {
    route: 'GET /v1/agents',
    ...mapped('Newest first, also those that were made at `/v1/agents`.'),
  },
  'agents.archive': {
    route: 'POST /v1/agents/{agent_id}/archive',
    ...different(
      'A mark in the metadata, which is a new version. The agent is not listed and gets no new sessions here; at `/v1/turns` it can still be used.',
    ),
  },
  'agents.versions.list': { route: 'GET /v1/agents/{agent_id}/versions', ...mapped('Newest first.') },
  'sessions.create': {
    route: 'POST /v1/sessions',
    ...mapped(
      'A session, whose turns run with the version of the agent at this time. With a first message, its turn is in the same commit.',
    ),
  },
  'sessions.retrieve': {
    route: 'GET /v1/sessions/{session_id}',
    ...mapped('With its status and its usage.'),
  },
  'sessions.update': {
    route: 'POST /v1/sessions/{session_id}',
    ...mapped('Title, metadata and budget.'),
  },
  'sessions.list': {
    route: 'GET /v1/sessions',
    ...mapped('Newest first, also those that were made at `/v1/sessions`.'),
  },
  'sessions.delete': {
    route: 'DELETE /v1/sessions/{session_id}',
    ...different('Erased with all that belongs to it, also while it runs: the turn is stopped.'),
  },
  'sessions.archive': {
    route: 'POST /v1/sessions/{session_id}/archive',
    ...different('A mark in the metadata: the session is not listed, and takes no further events here.'),
  },
  'sessions.events.send': {
    route: 'POST /v1/sessions/{session_id}/events',
    ...different(
      'One commit, and so one of: a `user.message`; a `user.interrupt`; an interrupt and then a message; answers to tools. Other combinations are refused.',
    ),
  },
  'sessions.events.list': {
    route: 'GET /v1/sessions/{session_id}/events',
    ...mapped(
      'Made of the stored events of the turns: always the same, with the same ids. They are kept for `EVENT_RETENTION_DAYS`; of older turns only the end is listed.',
    ),
  },
  'sessions.events.stream': {
    route: 'GET /v1/sessions/{session_id}/events/stream',
    ...mapped(
      'What happens from now on. With the header `Last-Event-ID`, the id of any event, from after that event: nothing is missing, and nothing comes twice. Every stream ends after fifteen minutes.',
    ),
  },
  'sessions.events.toolRunner': {
    route: '',
    ...mapped('Runs in the client, and uses the three above.'),
  },
};

/** The other resources of `client.beta.sessions` and of `client.beta`. There is nothing at their paths: `not_found_error`. */
export const OTHER_RESOURCES: Record<string, string> = {
  'sessions.resources': CONTAINER,
  'sessions.threads': THREADS,
  environments: 'tools run in your workers, and not in containers; `environment_id` can be any name',
  vaults: 'credentials are secrets of the tenant, at `/v1/secrets`',
  memoryStores: 'agents keep memory with the tool `memory`',
  deployments: 'an agent is used as it is',
  deploymentRuns: 'an agent is used as it is',
  dreams: 'there are none',
  tunnels: 'MCP servers are registered at `/v1/mcp_servers`',
  skills: CONTAINER,
  files: 'files are uploaded at `/v1/files`, and named by their ids in messages',
  models: 'agents name the models of Anthropic',
  messages: 'this is no gateway of the Messages API',
  userProfiles: 'there are none',
  organization: 'tenants and keys are managed with `turnpike` and at `/v1/api_keys`',
  webhooks: 'webhooks are those of `/v1/webhook_endpoints`',
};

const TOOLS = different(
  '`custom`: a client tool. `mcp_toolset`: the tools of a registered server, all or named ones, each with `always_ask` or `always_allow`; single ones cannot be disabled. `agent_toolset_20260401`: `web_search` and `web_fetch` alone, which the model API runs, with `default_config.enabled: false`; its other tools need a container and are refused. `auto` is refused.',
);
const MCP_SERVERS = different(
  'Each must be registered at `/v1/mcp_servers` with the same name and URL, where its credentials are, and be named by an `mcp_toolset`.',
);
const MODEL = mapped('With `effort`, `speed` and `inference_geo`.');
const DESCRIPTION = mapped('Kept in the metadata as `description`, which cards of agents (A2A) show too.');
const SKILLS = refused(`Unless empty: ${CONTAINER}.`);
const MULTIAGENT = refused('Unless null: agents that call others are configured at `/v1/agents`.');
const IDENTITY = different('Only `service_account`.');
const AGENT_METADATA = different(
  'Beside entries that the service keeps there (`claude.…`, `description`), 16 together.',
);
const SESSION_METADATA = different(
  'Beside entries that the service keeps there (`claude.…`), 16 together. `multitask_strategy` (`enqueue`, `reject`, `interrupt`, `rollback`) says what a message does while a turn is open; by default it waits.',
);
const SYSTEM = mapped('The prompt.');
const BUDGET = different(
  'Whole cents of US dollars. It can be set, raised, lowered and removed at any time.',
);
const VAULTS = refused('Unless empty: credentials are secrets of the tenant, at `/v1/secrets`.');

/** Every field of these objects, by the names that the SDK's types have. */
export const FIELD_ROWS: Record<string, Record<string, Row>> = {
  AgentCreateParams: {
    model: MODEL,
    name: mapped('Need not be unique.'),
    description: DESCRIPTION,
    execution_identity: IDENTITY,
    mcp_servers: MCP_SERVERS,
    metadata: AGENT_METADATA,
    multiagent: MULTIAGENT,
    skills: SKILLS,
    system: SYSTEM,
    tools: TOOLS,
    ...HEADERS,
  },
  AgentRetrieveParams: { version: mapped('The agent as it was then.'), ...HEADERS },
  AgentUpdateParams: {
    description: DESCRIPTION,
    execution_identity: IDENTITY,
    mcp_servers: different('Together with `tools`.'),
    metadata: AGENT_METADATA,
    model: MODEL,
    multiagent: MULTIAGENT,
    name: mapped('The new name.'),
    skills: SKILLS,
    system: SYSTEM,
    tools: TOOLS,
    version: mapped('Another one: 409, `agent_changed`.'),
    ...HEADERS,
  },
  AgentListParams: {
    'created_at[gte]': TIME,
    'created_at[lte]': TIME,
    include_archived: mapped('False if it is left out.'),
    ...HEADERS,
  },
  SessionCreateParams: {
    agent: different('Its id, or an `agent` with a version. `agent_with_overrides` is refused.'),
    environment_id: different(`Any name. It is kept and shown, and means nothing: ${CONTAINER}.`),
    budget: BUDGET,
    initial_events: different('One `user.message` at most. `user.define_outcome` is refused.'),
    metadata: SESSION_METADATA,
    resources: refused(`Unless empty: ${CONTAINER}.`),
    title: mapped('Kept in the metadata.'),
    vault_ids: VAULTS,
    ...HEADERS,
  },
  SessionUpdateParams: {
    agent: refused('A session has the version of its agent that it began with.'),
    budget: BUDGET,
    metadata: SESSION_METADATA,
    title: mapped('Null removes it.'),
    vault_ids: VAULTS,
    ...HEADERS,
  },
  SessionListParams: {
    agent_id: mapped('Only sessions of this agent.'),
    agent_version: refused('Sessions are listed by their agent.'),
    'created_at[gt]': TIME,
    'created_at[gte]': TIME,
    'created_at[lt]': TIME,
    'created_at[lte]': TIME,
    deployment_id: refused('There are no deployments.'),
    include_archived: mapped('False if it is left out.'),
    memory_store_id: refused('There are no memory stores.'),
    order: different('Only `desc`.'),
    statuses: refused('Sessions are not listed by their status.'),
    ...HEADERS,
  },
  EventListParams: {
    'created_at[gt]': TIME,
    'created_at[gte]': TIME,
    'created_at[lt]': TIME,
    'created_at[lte]': TIME,
    order: mapped('`asc` if it is left out.'),
    types: mapped(
      'A page that has looked at 20,000 stored events, or has 4 MB, ends with fewer events than it could have.',
    ),
    ...HEADERS,
  },
  EventSendParams: { events: mapped('See the route.'), ...HEADERS },
  EventStreamParams: {
    event_deltas: different(
      '`agent.message`: pieces of its text, all with the index 0. `agent.thinking` is accepted; there are no previews of it.',
    ),
    ...HEADERS,
  },
  BetaManagedAgentsUserMessageEventParams: {
    content: different(
      'Text, images and documents, as the input of a turn. `redacted` is refused. A file is one of `/v1/files`.',
    ),
    type: mapped('A turn of the session, with its own id and its place in the queue.'),
  },
  BetaManagedAgentsUserInterruptEventParams: {
    type: different(
      'Cancels all turns of the session that have not ended. What the model has written is kept; calls without a result get one that says so. With nothing to cancel it has no effect, and is not listed.',
    ),
    session_thread_id: refused(`Unless null: ${THREADS}.`),
  },
  BetaManagedAgentsUserToolConfirmationEventParams: {
    result: mapped('The call is made, or denied.'),
    tool_use_id: mapped('Of a call that waits for approval.'),
    type: mapped('Answers that come together are one commit.'),
    deny_message: mapped('What the model is told.'),
  },
  BetaManagedAgentsUserCustomToolResultEventParams: {
    custom_tool_use_id: mapped('Of a call that waits for its result.'),
    type: mapped('Answers that come together are one commit.'),
    content: different('Text, images and documents. `search_result` is refused.'),
    is_error: mapped('The model is told.'),
  },
  BetaManagedAgentsAgent: {
    id: mapped('The id of the agent.'),
    archived_at: mapped('See `agents.archive`.'),
    created_at: mapped('Of the first version.'),
    description: DESCRIPTION,
    execution_identity: notUsed('Always `service_account`.'),
    mcp_servers: mapped('Those that its tools are of.'),
    metadata: AGENT_METADATA,
    model: MODEL,
    multiagent: notUsed('Always null.'),
    name: mapped('The name.'),
    skills: notUsed('Always empty.'),
    system: different('The texts of the prompt, where it has several blocks.'),
    tools: different('Tools of other kinds (in code, HTTP, built in, agents, memory) are not shown.'),
    type: mapped('`agent`.'),
    updated_at: mapped('Of this version.'),
    version: mapped('The version.'),
  },
  BetaManagedAgentsSession: {
    id: mapped('The id of the session.'),
    agent: different(
      'At its version. To a key without `agents:read`, without its prompt and its tools. Of an agent that was deleted, little more than its id.',
    ),
    archived_at: mapped('See `sessions.archive`.'),
    budget: BUDGET,
    created_at: mapped('When it was created.'),
    environment_id: different('As it was given; `env_none` where it was not.'),
    metadata: SESSION_METADATA,
    outcome_evaluations: notUsed('Always empty.'),
    resources: notUsed('Always empty.'),
    stats: notUsed('Always empty.'),
    status: different('`running` or `idle`: a turn that waits for an answer is idle, as after its end.'),
    title: mapped('As it was given.'),
    type: mapped('`session`.'),
    updated_at: different('When a turn was submitted, began or ended last.'),
    usage: mapped('The sum of its turns, with their cost as `list_cost`.'),
    vault_ids: notUsed('Always empty.'),
    deployment_id: notUsed('Always null.'),
  },
};

const NO_THREADS = notUsed(`Never: ${THREADS}.`);
const NO_OUTCOMES = notUsed('Never: there are no outcomes.');
const NO_WORKFLOWS = notUsed('Never: there are no workflows.');

/** The types that a list can be filtered by. */
export const EVENT_TYPES = [
  'user.message',
  'user.interrupt',
  'user.tool_confirmation',
  'user.custom_tool_result',
  'agent.custom_tool_use',
  'agent.message',
  'agent.thinking',
  'agent.mcp_tool_use',
  'agent.mcp_tool_result',
  'agent.tool_use',
  'agent.tool_result',
  'agent.thread_message_received',
  'agent.thread_message_sent',
  'agent.thread_context_compacted',
  'session.error',
  'session.status_rescheduled',
  'session.status_running',
  'session.status_idle',
  'session.status_terminated',
  'session.thread_created',
  'span.outcome_evaluation_start',
  'span.outcome_evaluation_end',
  'span.model_request_start',
  'span.model_request_end',
  'span.outcome_evaluation_ongoing',
  'user.define_outcome',
  'session.thread_status_running',
  'session.thread_status_idle',
  'session.thread_status_terminated',
  'user.tool_result',
  'session.thread_status_rescheduled',
  'session.updated',
  'system.message',
  'session.usage',
  'workflow_run.created',
  'workflow_run.status_running',
  'workflow_run.status_idle',
  'workflow_run.status_ended',
  'workflow_run.error',
  'workflow_run.phase_started',
  'workflow_run.phase_ended',
] as const;

export const EVENT_ROWS: Record<(typeof EVENT_TYPES)[number] | 'session.deleted', Row> = {
  'user.message': mapped(
    'Shown once all turns before its own have ended. Messages that joined a running turn (`steer`) are shown in it.',
  ),
  'user.interrupt': mapped('With the end of a turn that was cancelled, whoever cancelled it.'),
  'user.tool_confirmation': different(
    'An approval is shown when the turn goes on. Calls that nobody answered in time have none.',
  ),
  'user.custom_tool_result': mapped('As it was given.'),
  'agent.custom_tool_use': different(
    'Shown once the turn waits for it, after the other calls of the round: from then on a result is accepted.',
  ),
  'agent.message': mapped('The text of one model call, in blocks. Citations are not shown.'),
  'agent.thinking': mapped('Where the model call has thinking.'),
  'agent.mcp_tool_use': mapped('With the name that the tool has at its server.'),
  'agent.mcp_tool_result': mapped('Blocks without a type here are shown as their JSON.'),
  'agent.tool_use': different(
    'Any other tool: in code, HTTP, built in, an agent, and tools that the model API runs. `ask` where it waits for approval; where it waits for an answer or an outcome too, which is given at `/v1/turns/{turn_id}/tool_outputs`. `deny`: it was never made.',
  ),
  'agent.tool_result': different('Of tools that the model API runs without content.'),
  'agent.thread_message_received': NO_THREADS,
  'agent.thread_message_sent': NO_THREADS,
  'agent.thread_context_compacted': mapped('Older messages were replaced by a summary.'),
  'session.error': mapped('Why a turn failed, or ended before it was complete.'),
  'session.status_rescheduled': mapped('Another worker goes on with the turn.'),
  'session.status_running': mapped('A worker has begun, or goes on after an answer.'),
  'session.status_idle': different(
    'After each turn, also where another one waits. `end_turn`, also after a cancel; `requires_action` with the calls that are left; `refusal`; `budget_reached`; `retries_exhausted` after any other end.',
  ),
  'session.status_terminated': notUsed('Never: a session takes messages until it is deleted.'),
  'session.thread_created': NO_THREADS,
  'span.outcome_evaluation_start': NO_OUTCOMES,
  'span.outcome_evaluation_end': NO_OUTCOMES,
  'span.model_request_start': mapped('A model call begins.'),
  'span.model_request_end': mapped(
    'With its usage. `is_error`: it came to nothing, and may have begun again.',
  ),
  'span.outcome_evaluation_ongoing': NO_OUTCOMES,
  'user.define_outcome': refused('There are no outcomes.'),
  'session.deleted': notUsed('Never: a stream of a session that is deleted ends.'),
  'session.thread_status_running': NO_THREADS,
  'session.thread_status_idle': NO_THREADS,
  'session.thread_status_terminated': NO_THREADS,
  'user.tool_result': refused('Tools of the toolset that clients could run are refused.'),
  'session.thread_status_rescheduled': NO_THREADS,
  'session.updated': notUsed('Never: read the session.'),
  'system.message': refused("The prompt is the agent's."),
  'session.usage': notUsed('Never: read the session.'),
  'workflow_run.created': NO_WORKFLOWS,
  'workflow_run.status_running': NO_WORKFLOWS,
  'workflow_run.status_idle': NO_WORKFLOWS,
  'workflow_run.status_ended': NO_WORKFLOWS,
  'workflow_run.error': NO_WORKFLOWS,
  'workflow_run.phase_started': NO_WORKFLOWS,
  'workflow_run.phase_ended': NO_WORKFLOWS,
};
