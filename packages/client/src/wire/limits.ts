/** What the tenant may use. */
export interface Limits {
  object: 'limits';
  requests_per_second: number;
  max_queued_turns: number;
  max_running_turns: number;
  max_sessions: number;
  max_body_bytes: number;
  tokens_per_minute: number | null;
  weight: number;
}
