/** The groups of operations, in the order in which they are shown. */
export const TAGS = {
  Turns: 'One user input and all that responds to it: submit, wait, cancel, send tool outputs.',
  Batches: 'Many turns that are submitted together, their progress and their results.',
  Schedules: 'Turns that are submitted at times: by cron, at intervals, or once.',
  Events: 'What happens to turns, as server-sent events.',
  Sessions: 'Conversations: their turns run one after another.',
  Agents: 'Named, versioned configurations that turns run with.',
  Tools: "HTTP tools of the tenant's own.",
  'MCP servers': 'Servers of the Model Context Protocol whose tools agents have.',
  Files: 'Images and documents for turns, and what tools put out that was too large for a model.',
  Secrets: 'Values that tools and model calls use, and that are never shown.',
  'Model settings': 'Whose keys pay for model calls, and where they go.',
  Webhooks: 'Endpoints that are sent events, and the deliveries to them.',
  Money: 'Usage and budgets.',
  Limits: 'What the tenant may use.',
  'API keys': 'Keys of the API and their scopes.',
  'Audit log': 'Administrative acts.',
} as const;
