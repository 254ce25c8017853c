/** The most push configurations of one turn. */
export const MOST_PUSH_CONFIGS = 10;

/** Where a client wants to hear of a turn, in the words of its protocol. */
export interface PushConfig {
  id: string;
  url: string;
  /** The scheme of its credentials, null where it has none. */
  scheme: string | null;
}

/** What each notification is sent with; it is stored sealed. */
export interface PushCredentials {
  token: string | null;
  /** The value of the header `authorization`. */
  authorization: string | null;
}
