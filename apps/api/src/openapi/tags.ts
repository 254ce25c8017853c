/** The groups of operations, in the order in which they are shown. */
export const TAGS = {
  Turns: 'One user input and all that responds to it: submit, wait, cancel, send tool outputs.',
  Events: 'What happens to turns, as server-sent events.',
  Sessions: 'Conversations: their turns run one after another.',
  Agents: 'Named, versioned configurations that turns run with.',
  Tools: "HTTP tools of the tenant's own.",
  'MCP servers': 'Servers of the Model Context Protocol whose tools agents have.',
  Secrets: 'Values that tools and model calls use, and that are never shown.',
  'Model settings': 'Whose keys pay for model calls, and where they go.',
  Webhooks: 'Endpoints that are sent events, and the deliveries to them.',
  Money: 'Usage and budgets.',
  Limits: 'What the tenant may use.',
  'API keys': 'Keys of the API and their scopes.',
  'Audit log': 'Administrative acts.',
} as const;

export type Tag = keyof typeof TAGS;
