/** What the operations are about, in the order in which they are shown. */
export const TAGS = {
  Turns: 'One user input and all that answers it: submit, wait, cancel, answer what it waits for.',
  Events: 'What happens to turns, as server-sent events.',
  Sessions: 'Conversations: their turns run one after another.',
  Agents: 'Named, versioned configurations that turns run with.',
  Tools: "HTTP tools of the tenant's own.",
  Secrets: 'Values that tools and model calls use, and nobody reads back.',
  'Model settings': 'Whose keys pay for model calls, and where they go.',
  Webhooks: 'Who is told of events, and what became of each delivery.',
  Money: 'What was used, and what may be spent.',
  Limits: 'What the tenant may use.',
  'API keys': 'Who may ask, and for what.',
  'Audit log': 'Administrative acts.',
} as const;

export type Tag = keyof typeof TAGS;
