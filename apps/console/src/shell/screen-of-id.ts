const SCREENS: Readonly<Record<string, (id: string) => string>> = {
  turn: (id) => `/turns/${id}`,
  sess: (id) => `/sessions/${id}`,
  agent: (id) => `/agents/${id}`,
  dlv: (id) => `/deliveries/${id}`,
  batch: (id) => `/batches?id=${id}`,
  sched: (id) => `/schedules/${id}`,
  wh: (id) => `/webhooks?endpoint=${id}`,
  tool: () => '/tools',
  mcp: () => '/tools',
  key: () => '/settings',
};

/** The screen of what an id names. */
export function screenOfId(id: string): { path: string } | { problem: string } {
  const kind = /^([a-z]+)_[0-9a-z]{26}$/.exec(id)?.[1];
  if (kind === undefined) return { problem: 'An id looks like turn_01kapjt9e8f7ga5vxq3c2m4n6r.' };
  const screen = SCREENS[kind];
  if (screen === undefined) return { problem: `There is no screen for ids that start with ${kind}_.` };
  return { path: screen(id) };
}
