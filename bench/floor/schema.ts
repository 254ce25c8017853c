/** The floor's table: one row a turn, and nothing that a guarantee would need. */
export const FLOOR_SCHEMA = `
CREATE TABLE floor_turns (
  id text PRIMARY KEY,
  status text NOT NULL DEFAULT 'queued',
  input text NOT NULL,
  output text,
  created_at timestamptz NOT NULL DEFAULT now()
)`;

export const FLOOR_QUEUE = 'floor';
