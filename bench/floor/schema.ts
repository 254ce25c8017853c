/** The floor's table: one row per turn, without anything that a guarantee needs. */
export const FLOOR_SCHEMA = `
CREATE TABLE floor_turns (
  id text PRIMARY KEY,
  status text NOT NULL DEFAULT 'queued',
  input text NOT NULL,
  output text,
  created_at timestamptz NOT NULL DEFAULT now()
)`;

export const FLOOR_QUEUE = 'floor';
