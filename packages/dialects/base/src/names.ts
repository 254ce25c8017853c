/** The agent of a request that names none. */
export const DEFAULT_AGENT = 'default';

/** The entry of an agent's metadata that says what the agent does. */
export const DESCRIPTION = 'description';
