-- The schema that the migrations make: for reading, and for seeing in a review what a migration changes.
-- Written by `npm run schema:write`, compared by `npm run schema:check`. Functions: functions/*.sql.

CREATE TABLE agent_versions (
  agent_id text NOT NULL,
  version integer NOT NULL,
  tenant_id text NOT NULL,
  config jsonb NOT NULL,
  created_at timestamptz(3) NOT NULL DEFAULT CURRENT_TIMESTAMP,
  name text,
  metadata jsonb,
  pool text NOT NULL DEFAULT 'default'::text,
  code_tools text[] DEFAULT ARRAY[]::text[],
  CONSTRAINT agent_versions_pkey PRIMARY KEY (agent_id, version),
  CONSTRAINT agent_versions_agent_id_fkey FOREIGN KEY (agent_id) REFERENCES agents(id) ON UPDATE CASCADE ON DELETE CASCADE
);

CREATE TABLE agents (
  id text NOT NULL,
  tenant_id text NOT NULL,
  name text NOT NULL,
  version integer NOT NULL DEFAULT 1,
  metadata jsonb NOT NULL DEFAULT '{}'::jsonb,
  created_at timestamptz(3) NOT NULL DEFAULT CURRENT_TIMESTAMP,
  updated_at timestamptz(3) NOT NULL DEFAULT CURRENT_TIMESTAMP,
  deleted_at timestamptz(3),
  CONSTRAINT agents_pkey PRIMARY KEY (id)
);
CREATE INDEX agents_tenant_id_id_idx ON agents USING btree (tenant_id, id);

CREATE TABLE api_keys (
  id text NOT NULL,
  tenant_id text NOT NULL,
  name text NOT NULL,
  hash bytea NOT NULL,
  last_four text NOT NULL,
  created_at timestamptz(3) NOT NULL DEFAULT CURRENT_TIMESTAMP,
  revoked_at timestamptz(3),
  scopes text[] DEFAULT ARRAY['admin'::text],
  expires_at timestamptz(3),
  last_used_at timestamptz(3),
  CONSTRAINT api_keys_pkey PRIMARY KEY (id),
  CONSTRAINT api_keys_tenant_id_fkey FOREIGN KEY (tenant_id) REFERENCES tenants(id) ON UPDATE CASCADE ON DELETE CASCADE
);
CREATE UNIQUE INDEX api_keys_hash_key ON api_keys USING btree (hash);
CREATE INDEX api_keys_tenant_id_id_idx ON api_keys USING btree (tenant_id, id);

CREATE TABLE audit_entries (
  id text NOT NULL,
  tenant_id text NOT NULL,
  at timestamptz(3) NOT NULL DEFAULT CURRENT_TIMESTAMP,
  actor_type text NOT NULL,
  actor_id text,
  action text NOT NULL,
  subject text,
  request_id text,
  details jsonb NOT NULL DEFAULT '{}'::jsonb,
  CONSTRAINT audit_entries_pkey PRIMARY KEY (id),
  CONSTRAINT audit_entries_actor CHECK ((((actor_type = 'operator'::text) AND (actor_id IS NULL)) OR ((actor_type = 'api_key'::text) AND (actor_id IS NOT NULL))))
);
CREATE INDEX audit_entries_tenant_id_id_idx ON audit_entries USING btree (tenant_id, id);
CREATE TRIGGER audit_entries_append_only BEFORE DELETE OR UPDATE OR TRUNCATE ON audit_entries FOR EACH STATEMENT EXECUTE FUNCTION refuse_audit_change();

CREATE TABLE batch_lines (
  batch_id text NOT NULL,
  index integer NOT NULL,
  custom_id text NOT NULL,
  request text,
  turn_id text,
  status text NOT NULL DEFAULT 'pending'::text,
  error jsonb,
  CONSTRAINT batch_lines_pkey PRIMARY KEY (batch_id, index),
  CONSTRAINT batch_lines_batch_id_fkey FOREIGN KEY (batch_id) REFERENCES turn_batches(id) ON UPDATE CASCADE ON DELETE CASCADE
);
CREATE UNIQUE INDEX batch_lines_batch_id_custom_id_key ON batch_lines USING btree (batch_id, custom_id);
CREATE INDEX batch_lines_open_idx ON batch_lines USING btree (batch_id, index) WHERE (status = 'open'::text);

CREATE TABLE batched_calls (
  id text NOT NULL,
  tenant_id text NOT NULL,
  turn_id text NOT NULL,
  step_index integer NOT NULL,
  status text NOT NULL DEFAULT 'waiting'::text,
  batch_id text,
  route jsonb NOT NULL,
  route_hash text NOT NULL,
  body text,
  priced jsonb NOT NULL,
  most_micros bigint NOT NULL,
  result text,
  abandoned boolean NOT NULL DEFAULT false,
  send_at timestamptz(3) NOT NULL,
  created_at timestamptz(3) NOT NULL DEFAULT CURRENT_TIMESTAMP,
  CONSTRAINT batched_calls_pkey PRIMARY KEY (id),
  CONSTRAINT batched_calls_batch_id_fkey FOREIGN KEY (batch_id) REFERENCES model_batches(id) ON UPDATE CASCADE ON DELETE SET NULL,
  CONSTRAINT batched_calls_tenant_id_fkey FOREIGN KEY (tenant_id) REFERENCES tenants(id) ON UPDATE CASCADE ON DELETE CASCADE,
  CONSTRAINT batched_calls_turn_id_fkey FOREIGN KEY (turn_id) REFERENCES turns(id) ON UPDATE CASCADE ON DELETE CASCADE
);
CREATE INDEX batched_calls_batch_id_idx ON batched_calls USING btree (batch_id);
CREATE INDEX batched_calls_ended_idx ON batched_calls USING btree (turn_id) WHERE (status = 'ended'::text);
CREATE INDEX batched_calls_tenant_id_idx ON batched_calls USING btree (tenant_id);
CREATE UNIQUE INDEX batched_calls_turn_id_step_index_key ON batched_calls USING btree (turn_id, step_index);
CREATE INDEX batched_calls_waiting_idx ON batched_calls USING btree (tenant_id, route_hash, created_at) WHERE (status = 'waiting'::text);

CREATE TABLE budgets (
  tenant_id text NOT NULL,
  period text NOT NULL,
  set_by text NOT NULL,
  limit_micros bigint NOT NULL,
  updated_at timestamptz(3) NOT NULL DEFAULT CURRENT_TIMESTAMP,
  CONSTRAINT budgets_pkey PRIMARY KEY (tenant_id, period, set_by),
  CONSTRAINT budgets_tenant_id_fkey FOREIGN KEY (tenant_id) REFERENCES tenants(id) ON UPDATE CASCADE ON DELETE CASCADE,
  CONSTRAINT budgets_limit_check CHECK ((limit_micros >= 0)),
  CONSTRAINT budgets_period_check CHECK ((period = ANY (ARRAY['day'::text, 'month'::text]))),
  CONSTRAINT budgets_set_by_check CHECK ((set_by = ANY (ARRAY['operator'::text, 'tenant'::text])))
);

CREATE TABLE code_tools (
  name text NOT NULL,
  id text NOT NULL,
  created_at timestamptz(3) NOT NULL DEFAULT CURRENT_TIMESTAMP,
  CONSTRAINT code_tools_pkey PRIMARY KEY (name)
);
CREATE UNIQUE INDEX code_tools_id_key ON code_tools USING btree (id);

CREATE TABLE data_keys (
  id text NOT NULL,
  tenant_id text NOT NULL,
  wrapped text NOT NULL,
  created_at timestamptz(3) NOT NULL DEFAULT CURRENT_TIMESTAMP,
  CONSTRAINT data_keys_pkey PRIMARY KEY (id),
  CONSTRAINT data_keys_tenant_id_fkey FOREIGN KEY (tenant_id) REFERENCES tenants(id) ON UPDATE CASCADE ON DELETE CASCADE
);
CREATE INDEX data_keys_tenant_id_id_idx ON data_keys USING btree (tenant_id, id);

CREATE TABLE deliveries (
  id text NOT NULL,
  tenant_id text NOT NULL,
  endpoint_id text,
  url text,
  lane text NOT NULL,
  event_id text NOT NULL,
  type text NOT NULL,
  turn_id text,
  payload jsonb NOT NULL,
  status text NOT NULL DEFAULT 'pending'::text,
  attempts integer NOT NULL DEFAULT 0,
  tries integer NOT NULL DEFAULT 0,
  begun_at timestamptz(3) NOT NULL DEFAULT CURRENT_TIMESTAMP,
  next_attempt_at timestamptz(3) NOT NULL DEFAULT CURRENT_TIMESTAMP,
  hint integer NOT NULL DEFAULT 0,
  hinted_at timestamptz(3),
  claim integer NOT NULL DEFAULT 0,
  claimed_until timestamptz(3),
  created_at timestamptz(3) NOT NULL DEFAULT CURRENT_TIMESTAMP,
  delivered_at timestamptz(3),
  fresh boolean NOT NULL DEFAULT true,
  push_config_id text,
  CONSTRAINT deliveries_pkey PRIMARY KEY (id),
  CONSTRAINT deliveries_turn_id_fkey FOREIGN KEY (turn_id) REFERENCES turns(id) ON UPDATE CASCADE ON DELETE CASCADE,
  CONSTRAINT deliveries_delivered_check CHECK (((status = 'delivered'::text) = (delivered_at IS NOT NULL))),
  CONSTRAINT deliveries_status_check CHECK ((status = ANY (ARRAY['pending'::text, 'failed'::text, 'delivered'::text, 'dead'::text]))),
  CONSTRAINT deliveries_target_check CHECK (((endpoint_id IS NULL) <> (url IS NULL)))
);
CREATE INDEX deliveries_due ON deliveries USING btree (lane, next_attempt_at) WHERE ((status = ANY (ARRAY['pending'::text, 'failed'::text])) AND (hinted_at IS NULL));
CREATE INDEX deliveries_endpoint_id_id_idx ON deliveries USING btree (endpoint_id, id);
CREATE INDEX deliveries_fresh ON deliveries USING btree (id) WHERE (fresh AND (status = ANY (ARRAY['pending'::text, 'failed'::text])) AND (hinted_at IS NULL));
CREATE INDEX deliveries_hinted ON deliveries USING btree (hinted_at) WHERE ((status = ANY (ARRAY['pending'::text, 'failed'::text])) AND (hinted_at IS NOT NULL));
CREATE INDEX deliveries_in_window ON deliveries USING btree (lane) WHERE ((status = ANY (ARRAY['pending'::text, 'failed'::text])) AND (hinted_at IS NOT NULL));
CREATE INDEX deliveries_over ON deliveries USING btree (status, created_at) WHERE (status = ANY (ARRAY['delivered'::text, 'dead'::text]));
CREATE INDEX deliveries_tenant_id_id_idx ON deliveries USING btree (tenant_id, id);
CREATE INDEX deliveries_turn_id_idx ON deliveries USING btree (turn_id);
CREATE INDEX deliveries_waiting ON deliveries USING btree (next_attempt_at) WHERE (status = ANY (ARRAY['pending'::text, 'failed'::text]));
CREATE TRIGGER deliveries_status_edge AFTER UPDATE OF status ON deliveries FOR EACH ROW WHEN (old.status <> new.status AND (((old.status || ' '::text) || new.status) <> ALL (ARRAY['pending failed'::text, 'pending delivered'::text, 'pending dead'::text, 'failed pending'::text, 'failed delivered'::text, 'failed dead'::text, 'delivered pending'::text, 'dead pending'::text]))) EXECUTE FUNCTION turnpike_refuse_status();

CREATE TABLE delivery_attempts (
  delivery_id text NOT NULL,
  number integer NOT NULL,
  started_at timestamptz(3) NOT NULL,
  duration_ms integer NOT NULL,
  response_status integer,
  response_body text,
  error_code text,
  CONSTRAINT delivery_attempts_pkey PRIMARY KEY (delivery_id, number),
  CONSTRAINT delivery_attempts_delivery_id_fkey FOREIGN KEY (delivery_id) REFERENCES deliveries(id) ON UPDATE CASCADE ON DELETE CASCADE
);

CREATE TABLE erased_files (
  storage text NOT NULL,
  key text NOT NULL,
  erase_at timestamptz(3) NOT NULL DEFAULT CURRENT_TIMESTAMP,
  CONSTRAINT erased_files_pkey PRIMARY KEY (storage, key)
);
CREATE INDEX erased_files_erase_at_idx ON erased_files USING btree (erase_at);

CREATE TABLE events (
  turn_id text NOT NULL,
  sequence_number integer NOT NULL,
  id text NOT NULL,
  tenant_id text NOT NULL,
  type text NOT NULL,
  payload jsonb NOT NULL,
  created_at timestamptz(3) NOT NULL DEFAULT CURRENT_TIMESTAMP,
  CONSTRAINT events_pkey PRIMARY KEY (turn_id, sequence_number),
  CONSTRAINT events_turn_id_fkey FOREIGN KEY (turn_id) REFERENCES turns(id) ON UPDATE CASCADE ON DELETE CASCADE
);
CREATE TRIGGER events_deliver AFTER INSERT ON events REFERENCING NEW TABLE AS inserted FOR EACH STATEMENT EXECUTE FUNCTION turnpike_deliver_turn_events();

CREATE TABLE file_chunks (
  file_id text NOT NULL,
  index integer NOT NULL,
  data bytea NOT NULL,
  CONSTRAINT file_chunks_pkey PRIMARY KEY (file_id, index)
);

CREATE TABLE files (
  id text NOT NULL,
  tenant_id text NOT NULL,
  session_id text,
  turn_id text,
  shared boolean NOT NULL DEFAULT false,
  filename text NOT NULL,
  media_type text NOT NULL,
  bytes bigint NOT NULL,
  sha256 text,
  width integer,
  height integer,
  status text NOT NULL DEFAULT 'uploading'::text,
  refusal text,
  metadata jsonb NOT NULL DEFAULT '{}'::jsonb,
  storage text NOT NULL,
  upload_token bytea,
  upload_until timestamptz(3) NOT NULL,
  scan_at timestamptz(3),
  scans integer NOT NULL DEFAULT 0,
  created_at timestamptz(3) NOT NULL DEFAULT CURRENT_TIMESTAMP,
  expires_at timestamptz(3),
  CONSTRAINT files_pkey PRIMARY KEY (id),
  CONSTRAINT files_session_id_fkey FOREIGN KEY (session_id) REFERENCES sessions(id) ON UPDATE CASCADE ON DELETE CASCADE,
  CONSTRAINT files_tenant_id_fkey FOREIGN KEY (tenant_id) REFERENCES tenants(id) ON UPDATE CASCADE ON DELETE CASCADE,
  CONSTRAINT files_turn_id_fkey FOREIGN KEY (turn_id) REFERENCES turns(id) ON UPDATE CASCADE ON DELETE CASCADE
);
CREATE INDEX files_expiring_idx ON files USING btree (expires_at) WHERE (expires_at IS NOT NULL);
CREATE INDEX files_pending_idx ON files USING btree (scan_at) WHERE (status = 'pending'::text);
CREATE INDEX files_session_id_idx ON files USING btree (session_id) WHERE (session_id IS NOT NULL);
CREATE INDEX files_tenant_id_id_idx ON files USING btree (tenant_id, id);
CREATE INDEX files_turn_id_idx ON files USING btree (turn_id) WHERE (turn_id IS NOT NULL);
CREATE INDEX files_uploading_idx ON files USING btree (upload_until) WHERE (status = 'uploading'::text);
CREATE TRIGGER files_erase AFTER DELETE ON files FOR EACH ROW EXECUTE FUNCTION turnpike_erase_file();

CREATE TABLE idempotency_records (
  tenant_id text NOT NULL,
  route text NOT NULL,
  key text NOT NULL,
  fingerprint bytea NOT NULL,
  status integer NOT NULL,
  headers jsonb NOT NULL,
  body text,
  created_at timestamptz(3) NOT NULL DEFAULT CURRENT_TIMESTAMP,
  expires_at timestamptz(3) NOT NULL,
  packed bytea,
  omitted text[] DEFAULT ARRAY[]::text[],
  CONSTRAINT idempotency_records_pkey PRIMARY KEY (tenant_id, route, key),
  CONSTRAINT idempotency_records_body_check CHECK (((body IS NULL) <> (packed IS NULL)))
);
CREATE INDEX idempotency_records_expires_at_idx ON idempotency_records USING btree (expires_at);

CREATE TABLE ledger_entries (
  step_id text NOT NULL,
  tenant_id text NOT NULL,
  session_id text NOT NULL,
  turn_id text NOT NULL,
  agent_id text NOT NULL,
  model text NOT NULL,
  input_tokens integer NOT NULL,
  output_tokens integer NOT NULL,
  cache_creation_input_tokens integer NOT NULL,
  cache_read_input_tokens integer NOT NULL,
  cost_micros bigint NOT NULL,
  counted boolean NOT NULL,
  spent_at timestamptz(3) NOT NULL DEFAULT CURRENT_TIMESTAMP,
  CONSTRAINT ledger_entries_pkey PRIMARY KEY (step_id)
);
CREATE INDEX ledger_entries_tenant_id_spent_at_idx ON ledger_entries USING btree (tenant_id, spent_at);
CREATE INDEX ledger_entries_uncounted ON ledger_entries USING btree (tenant_id) WHERE (NOT counted);

CREATE TABLE mcp_servers (
  id text NOT NULL,
  tenant_id text NOT NULL,
  name text NOT NULL,
  config jsonb NOT NULL,
  tools_hash text,
  tools_listed_at timestamptz(3),
  last_change jsonb,
  accepted jsonb,
  refused_tools jsonb NOT NULL DEFAULT '[]'::jsonb,
  created_at timestamptz(3) NOT NULL DEFAULT CURRENT_TIMESTAMP,
  updated_at timestamptz(3) NOT NULL DEFAULT CURRENT_TIMESTAMP,
  CONSTRAINT mcp_servers_pkey PRIMARY KEY (id),
  CONSTRAINT mcp_servers_tenant_id_fkey FOREIGN KEY (tenant_id) REFERENCES tenants(id) ON UPDATE CASCADE ON DELETE CASCADE
);
CREATE INDEX mcp_servers_tenant_id_id_idx ON mcp_servers USING btree (tenant_id, id);
CREATE UNIQUE INDEX mcp_servers_tenant_id_name_key ON mcp_servers USING btree (tenant_id, name);

CREATE TABLE mcp_tool_lists (
  tenant_id text NOT NULL,
  hash text NOT NULL,
  tools jsonb NOT NULL,
  used_at timestamptz(3) NOT NULL DEFAULT CURRENT_TIMESTAMP,
  CONSTRAINT mcp_tool_lists_pkey PRIMARY KEY (tenant_id, hash),
  CONSTRAINT mcp_tool_lists_tenant_id_fkey FOREIGN KEY (tenant_id) REFERENCES tenants(id) ON UPDATE CASCADE ON DELETE CASCADE
);

CREATE TABLE memory_calls (
  tool_call_id text NOT NULL,
  tenant_id text NOT NULL,
  output jsonb NOT NULL,
  created_at timestamptz(3) NOT NULL DEFAULT CURRENT_TIMESTAMP,
  CONSTRAINT memory_calls_pkey PRIMARY KEY (tool_call_id),
  CONSTRAINT memory_calls_tool_call_id_fkey FOREIGN KEY (tool_call_id) REFERENCES tool_calls(id) ON UPDATE CASCADE ON DELETE CASCADE
);

CREATE TABLE memory_files (
  tenant_id text NOT NULL,
  namespace text NOT NULL,
  path text NOT NULL,
  content text NOT NULL,
  created_at timestamptz(3) NOT NULL DEFAULT CURRENT_TIMESTAMP,
  updated_at timestamptz(3) NOT NULL DEFAULT CURRENT_TIMESTAMP,
  CONSTRAINT memory_files_pkey PRIMARY KEY (tenant_id, namespace, path),
  CONSTRAINT memory_files_tenant_id_fkey FOREIGN KEY (tenant_id) REFERENCES tenants(id) ON UPDATE CASCADE ON DELETE CASCADE
);

CREATE TABLE messages (
  turn_id text NOT NULL,
  index integer NOT NULL,
  id text NOT NULL,
  tenant_id text NOT NULL,
  session_id text NOT NULL,
  turn_sequence integer NOT NULL,
  step_index integer,
  role text NOT NULL,
  content jsonb NOT NULL,
  created_at timestamptz(3) NOT NULL DEFAULT CURRENT_TIMESTAMP,
  partial boolean NOT NULL DEFAULT false,
  refused jsonb NOT NULL DEFAULT '[]'::jsonb,
  content_without_media jsonb,
  container jsonb,
  CONSTRAINT messages_pkey PRIMARY KEY (turn_id, index),
  CONSTRAINT messages_turn_id_fkey FOREIGN KEY (turn_id) REFERENCES turns(id) ON UPDATE CASCADE ON DELETE CASCADE,
  CONSTRAINT messages_refused_check CHECK ((jsonb_typeof(refused) = 'array'::text)),
  CONSTRAINT messages_role_check CHECK ((role = ANY (ARRAY['user'::text, 'assistant'::text])))
);
CREATE UNIQUE INDEX messages_session_id_turn_sequence_index_key ON messages USING btree (session_id, turn_sequence, index);
CREATE TRIGGER messages_without_media BEFORE INSERT ON messages FOR EACH ROW WHEN (pg_column_size(new.content) > 32768) EXECUTE FUNCTION turnpike_set_content_without_media();

CREATE TABLE model_batches (
  id text NOT NULL,
  tenant_id text NOT NULL,
  status text NOT NULL DEFAULT 'submitting'::text,
  provider_id text,
  route jsonb NOT NULL,
  requests integer NOT NULL,
  poll_at timestamptz(3) NOT NULL,
  created_at timestamptz(3) NOT NULL DEFAULT CURRENT_TIMESTAMP,
  CONSTRAINT model_batches_pkey PRIMARY KEY (id),
  CONSTRAINT model_batches_tenant_id_fkey FOREIGN KEY (tenant_id) REFERENCES tenants(id) ON UPDATE CASCADE ON DELETE CASCADE
);
CREATE INDEX model_batches_poll_idx ON model_batches USING btree (poll_at) WHERE (status <> 'ended'::text);

CREATE TABLE model_settings (
  tenant_id text NOT NULL,
  keys text[] DEFAULT ARRAY[]::text[],
  base_url text,
  auth text NOT NULL DEFAULT 'x-api-key'::text,
  updated_at timestamptz(3) NOT NULL DEFAULT CURRENT_TIMESTAMP,
  CONSTRAINT model_settings_pkey PRIMARY KEY (tenant_id),
  CONSTRAINT model_settings_tenant_id_fkey FOREIGN KEY (tenant_id) REFERENCES tenants(id) ON UPDATE CASCADE ON DELETE CASCADE
);

CREATE TABLE outages (
  tenant_id text NOT NULL,
  id text NOT NULL,
  probe_at timestamptz(3) NOT NULL,
  CONSTRAINT outages_pkey PRIMARY KEY (tenant_id, id),
  CONSTRAINT outages_tenant_id_fkey FOREIGN KEY (tenant_id) REFERENCES tenants(id) ON UPDATE CASCADE ON DELETE CASCADE
);
CREATE INDEX outages_probe_at_idx ON outages USING btree (probe_at);

CREATE TABLE paused_pools (
  pool text NOT NULL,
  paused_at timestamptz(3) NOT NULL DEFAULT CURRENT_TIMESTAMP,
  CONSTRAINT paused_pools_pkey PRIMARY KEY (pool)
);

CREATE TABLE push_configs (
  turn_id text NOT NULL,
  id text NOT NULL,
  tenant_id text NOT NULL,
  url text NOT NULL,
  scheme text,
  envelope text NOT NULL,
  created_at timestamptz(3) NOT NULL DEFAULT CURRENT_TIMESTAMP,
  CONSTRAINT push_configs_pkey PRIMARY KEY (turn_id, id),
  CONSTRAINT push_configs_tenant_id_fkey FOREIGN KEY (tenant_id) REFERENCES tenants(id) ON UPDATE CASCADE ON DELETE CASCADE,
  CONSTRAINT push_configs_turn_id_fkey FOREIGN KEY (turn_id) REFERENCES turns(id) ON UPDATE CASCADE ON DELETE CASCADE
);
CREATE INDEX push_configs_tenant_id_idx ON push_configs USING btree (tenant_id);

CREATE TABLE schedule_runs (
  id text NOT NULL,
  tenant_id text NOT NULL,
  schedule_id text NOT NULL,
  tick_at timestamptz(3) NOT NULL,
  until timestamptz(3),
  ticks integer NOT NULL DEFAULT 1,
  due_at timestamptz(3) NOT NULL,
  status text NOT NULL,
  turn_id text,
  is_open boolean NOT NULL DEFAULT false,
  error jsonb,
  created_at timestamptz(3) NOT NULL DEFAULT CURRENT_TIMESTAMP,
  CONSTRAINT schedule_runs_pkey PRIMARY KEY (id),
  CONSTRAINT schedule_runs_schedule_id_fkey FOREIGN KEY (schedule_id) REFERENCES schedules(id) ON UPDATE CASCADE ON DELETE CASCADE
);
CREATE INDEX schedule_runs_open_idx ON schedule_runs USING btree (schedule_id, tick_at) WHERE is_open;
CREATE UNIQUE INDEX schedule_runs_schedule_id_tick_at_key ON schedule_runs USING btree (schedule_id, tick_at);
CREATE INDEX schedule_runs_tenant_id_schedule_id_id_idx ON schedule_runs USING btree (tenant_id, schedule_id, id);

CREATE TABLE schedules (
  id text NOT NULL,
  tenant_id text NOT NULL,
  status text NOT NULL DEFAULT 'active'::text,
  name text,
  timing jsonb NOT NULL,
  turn jsonb NOT NULL,
  session text NOT NULL,
  session_id text,
  owns_session boolean NOT NULL DEFAULT true,
  overlap text NOT NULL,
  catch_up text NOT NULL,
  catch_up_seconds integer NOT NULL,
  jitter_seconds integer NOT NULL,
  starts_at timestamptz(3),
  ends_at timestamptz(3),
  metadata jsonb NOT NULL DEFAULT '{}'::jsonb,
  next_tick_at timestamptz(3),
  next_due_at timestamptz(3),
  last_tick_at timestamptz(3),
  created_at timestamptz(3) NOT NULL DEFAULT CURRENT_TIMESTAMP,
  updated_at timestamptz(3) NOT NULL DEFAULT CURRENT_TIMESTAMP,
  CONSTRAINT schedules_pkey PRIMARY KEY (id),
  CONSTRAINT schedules_tenant_id_fkey FOREIGN KEY (tenant_id) REFERENCES tenants(id) ON UPDATE CASCADE ON DELETE CASCADE
);
CREATE INDEX schedules_due_idx ON schedules USING btree (next_due_at) WHERE (status = 'active'::text);
CREATE INDEX schedules_removed_idx ON schedules USING btree (id) WHERE (status = 'deleting'::text);
CREATE INDEX schedules_tenant_id_id_idx ON schedules USING btree (tenant_id, id);

CREATE TABLE secrets (
  tenant_id text NOT NULL,
  name text NOT NULL,
  version integer NOT NULL DEFAULT 1,
  envelope text NOT NULL,
  last_four text NOT NULL,
  created_at timestamptz(3) NOT NULL DEFAULT CURRENT_TIMESTAMP,
  updated_at timestamptz(3) NOT NULL DEFAULT CURRENT_TIMESTAMP,
  allowed_hosts text[] DEFAULT ARRAY[]::text[],
  is_model_key boolean NOT NULL DEFAULT false,
  CONSTRAINT secrets_pkey PRIMARY KEY (tenant_id, name),
  CONSTRAINT secrets_tenant_id_fkey FOREIGN KEY (tenant_id) REFERENCES tenants(id) ON UPDATE CASCADE ON DELETE CASCADE
);

CREATE TABLE session_labels (
  session_id text NOT NULL,
  key text NOT NULL,
  tenant_id text NOT NULL,
  value text NOT NULL,
  CONSTRAINT session_labels_pkey PRIMARY KEY (session_id, key),
  CONSTRAINT session_labels_session_id_fkey FOREIGN KEY (session_id) REFERENCES sessions(id) ON UPDATE CASCADE ON DELETE CASCADE
);
CREATE INDEX session_labels_tenant_id_key_value_session_id_idx ON session_labels USING btree (tenant_id, key, value, session_id);

CREATE TABLE sessions (
  id text NOT NULL,
  tenant_id text NOT NULL,
  agent_id text NOT NULL,
  metadata jsonb NOT NULL DEFAULT '{}'::jsonb,
  last_sequence integer NOT NULL DEFAULT 0,
  open_turns integer NOT NULL DEFAULT 0,
  created_at timestamptz(3) NOT NULL DEFAULT CURRENT_TIMESTAMP,
  budget_micros bigint,
  parent_session_id text,
  forked_from text,
  forked_turn_id text,
  forked_step integer,
  rerun_of text,
  user_id text,
  CONSTRAINT sessions_pkey PRIMARY KEY (id),
  CONSTRAINT sessions_parent_session_id_fkey FOREIGN KEY (parent_session_id) REFERENCES sessions(id) ON UPDATE CASCADE ON DELETE CASCADE,
  CONSTRAINT sessions_open_turns_check CHECK ((open_turns >= 0))
);
CREATE INDEX sessions_by_user ON sessions USING btree (tenant_id, user_id, id) WHERE (user_id IS NOT NULL);
CREATE INDEX sessions_children ON sessions USING btree (parent_session_id) WHERE (parent_session_id IS NOT NULL);
CREATE INDEX sessions_forks ON sessions USING btree (forked_from, id) WHERE (forked_from IS NOT NULL);
CREATE INDEX sessions_tenant_id_id_idx ON sessions USING btree (tenant_id, id);
CREATE TRIGGER sessions_labels AFTER INSERT ON sessions FOR EACH ROW WHEN (new.metadata <> '{}'::jsonb) EXECUTE FUNCTION turnpike_label_session();
CREATE TRIGGER sessions_labels_changed AFTER UPDATE OF metadata ON sessions FOR EACH ROW WHEN (new.metadata <> old.metadata) EXECUTE FUNCTION turnpike_label_session();

CREATE TABLE spending (
  tenant_id text NOT NULL,
  period text NOT NULL,
  starts_on date NOT NULL,
  spent_micros bigint NOT NULL DEFAULT 0,
  warned_micros bigint NOT NULL DEFAULT 0,
  exhausted_micros bigint NOT NULL DEFAULT 0,
  CONSTRAINT spending_pkey PRIMARY KEY (tenant_id, period, starts_on),
  CONSTRAINT spending_tenant_id_fkey FOREIGN KEY (tenant_id) REFERENCES tenants(id) ON UPDATE CASCADE ON DELETE CASCADE
);

CREATE TABLE steps (
  turn_id text NOT NULL,
  index integer NOT NULL,
  id text NOT NULL,
  tenant_id text NOT NULL,
  type text NOT NULL,
  model text,
  stop_reason text,
  input_tokens integer NOT NULL,
  output_tokens integer NOT NULL,
  cache_creation_input_tokens integer NOT NULL,
  cache_read_input_tokens integer NOT NULL,
  attempts integer NOT NULL,
  provider_request_id text,
  epoch integer NOT NULL,
  started_at timestamptz(3) NOT NULL,
  completed_at timestamptz(3) NOT NULL DEFAULT CURRENT_TIMESTAMP,
  cost_micros bigint NOT NULL DEFAULT 0,
  CONSTRAINT steps_pkey PRIMARY KEY (turn_id, index),
  CONSTRAINT steps_turn_id_fkey FOREIGN KEY (turn_id) REFERENCES turns(id) ON UPDATE CASCADE ON DELETE CASCADE,
  CONSTRAINT steps_type_check CHECK ((type = ANY (ARRAY['model_call'::text, 'tool_calls'::text, 'compaction'::text])))
);

CREATE TABLE summaries (
  session_id text NOT NULL,
  through_sequence integer NOT NULL,
  tenant_id text NOT NULL,
  turn_id text NOT NULL,
  step_index integer NOT NULL,
  content text NOT NULL,
  created_at timestamptz(3) NOT NULL DEFAULT CURRENT_TIMESTAMP,
  CONSTRAINT summaries_pkey PRIMARY KEY (session_id, through_sequence),
  CONSTRAINT summaries_session_id_fkey FOREIGN KEY (session_id) REFERENCES sessions(id) ON UPDATE CASCADE ON DELETE CASCADE
);

CREATE TABLE tenant_events (
  id text NOT NULL,
  tenant_id text NOT NULL,
  type text NOT NULL,
  payload jsonb NOT NULL,
  created_at timestamptz(3) NOT NULL DEFAULT CURRENT_TIMESTAMP,
  CONSTRAINT tenant_events_pkey PRIMARY KEY (id),
  CONSTRAINT tenant_events_tenant_id_fkey FOREIGN KEY (tenant_id) REFERENCES tenants(id) ON UPDATE CASCADE ON DELETE CASCADE
);
CREATE INDEX tenant_events_created_at_idx ON tenant_events USING btree (created_at);
CREATE INDEX tenant_events_tenant_id_id_idx ON tenant_events USING btree (tenant_id, id);

CREATE TABLE tenants (
  id text NOT NULL,
  name text NOT NULL,
  max_running_turns integer NOT NULL DEFAULT 1000,
  created_at timestamptz(3) NOT NULL DEFAULT CURRENT_TIMESTAMP,
  limits jsonb NOT NULL DEFAULT '{}'::jsonb,
  weight double precision NOT NULL DEFAULT 1,
  operator_key boolean NOT NULL DEFAULT false,
  debug_until timestamptz(3),
  paused_at timestamptz(3),
  CONSTRAINT tenants_pkey PRIMARY KEY (id),
  CONSTRAINT tenants_limits_check CHECK ((jsonb_typeof(limits) = 'object'::text)),
  CONSTRAINT tenants_weight_check CHECK (((weight >= (0.1)::double precision) AND (weight <= (10)::double precision)))
);

CREATE TABLE tool_calls (
  id text NOT NULL,
  tenant_id text NOT NULL,
  turn_id text NOT NULL,
  step_index integer NOT NULL,
  "position" integer NOT NULL,
  tool_use_id text NOT NULL,
  name text NOT NULL,
  input jsonb NOT NULL,
  effect text NOT NULL,
  status text NOT NULL,
  output jsonb,
  is_error boolean NOT NULL DEFAULT false,
  attempts integer NOT NULL DEFAULT 0,
  created_at timestamptz(3) NOT NULL DEFAULT CURRENT_TIMESTAMP,
  started_at timestamptz(3),
  completed_at timestamptz(3),
  on_unknown text NOT NULL DEFAULT 'tell_model'::text,
  awaiting text,
  input_text text,
  question jsonb,
  child_turn_id text,
  accepted_by text,
  CONSTRAINT tool_calls_pkey PRIMARY KEY (id),
  CONSTRAINT tool_calls_turn_id_fkey FOREIGN KEY (turn_id) REFERENCES turns(id) ON UPDATE CASCADE ON DELETE CASCADE,
  CONSTRAINT tool_calls_awaiting_check CHECK (((awaiting IS NULL) OR ((awaiting = ANY (ARRAY['approval'::text, 'output'::text, 'answer'::text])) AND (status = 'pending'::text) AND (output IS NULL)) OR ((awaiting = 'outcome'::text) AND (status = 'unknown'::text) AND (output IS NULL)))),
  CONSTRAINT tool_calls_effect_check CHECK ((effect = ANY (ARRAY['read'::text, 'idempotent'::text, 'once'::text, 'reconcile'::text]))),
  CONSTRAINT tool_calls_on_unknown_check CHECK ((on_unknown = ANY (ARRAY['tell_model'::text, 'ask'::text, 'fail'::text]))),
  CONSTRAINT tool_calls_status_check CHECK ((status = ANY (ARRAY['pending'::text, 'started'::text, 'completed'::text, 'unknown'::text])))
);
CREATE UNIQUE INDEX tool_calls_turn_id_step_index_position_key ON tool_calls USING btree (turn_id, step_index, "position");

CREATE TABLE tool_steps (
  tool_call_id text NOT NULL,
  kind text NOT NULL,
  name text NOT NULL,
  tenant_id text NOT NULL,
  turn_id text NOT NULL,
  effect text NOT NULL,
  status text NOT NULL,
  result text,
  epoch integer NOT NULL,
  started_at timestamptz(3) NOT NULL DEFAULT CURRENT_TIMESTAMP,
  completed_at timestamptz(3),
  CONSTRAINT tool_steps_pkey PRIMARY KEY (tool_call_id, kind, name),
  CONSTRAINT tool_steps_tool_call_id_fkey FOREIGN KEY (tool_call_id) REFERENCES tool_calls(id) ON UPDATE CASCADE ON DELETE CASCADE,
  CONSTRAINT tool_steps_effect_check CHECK ((effect = ANY (ARRAY['read'::text, 'idempotent'::text, 'once'::text]))),
  CONSTRAINT tool_steps_kind_check CHECK ((kind = ANY (ARRAY['step'::text, 'answer'::text]))),
  CONSTRAINT tool_steps_status_check CHECK ((status = ANY (ARRAY['started'::text, 'completed'::text, 'failed'::text, 'undone'::text])))
);

CREATE TABLE tools (
  id text NOT NULL,
  tenant_id text NOT NULL,
  name text NOT NULL,
  config jsonb NOT NULL,
  signing_envelope text NOT NULL,
  signing_version integer NOT NULL DEFAULT 1,
  created_at timestamptz(3) NOT NULL DEFAULT CURRENT_TIMESTAMP,
  updated_at timestamptz(3) NOT NULL DEFAULT CURRENT_TIMESTAMP,
  CONSTRAINT tools_pkey PRIMARY KEY (id),
  CONSTRAINT tools_tenant_id_fkey FOREIGN KEY (tenant_id) REFERENCES tenants(id) ON UPDATE CASCADE ON DELETE CASCADE
);
CREATE INDEX tools_tenant_id_id_idx ON tools USING btree (tenant_id, id);
CREATE UNIQUE INDEX tools_tenant_id_name_key ON tools USING btree (tenant_id, name);

CREATE TABLE turn_batches (
  id text NOT NULL,
  tenant_id text NOT NULL,
  status text NOT NULL DEFAULT 'receiving'::text,
  defaults jsonb NOT NULL DEFAULT '{}'::jsonb,
  metadata jsonb NOT NULL DEFAULT '{}'::jsonb,
  line_count integer NOT NULL DEFAULT 0,
  next_line integer NOT NULL DEFAULT 0,
  completed integer NOT NULL DEFAULT 0,
  failed integer NOT NULL DEFAULT 0,
  incomplete integer NOT NULL DEFAULT 0,
  cancelled integer NOT NULL DEFAULT 0,
  refused integer NOT NULL DEFAULT 0,
  waiting_for text,
  fed_at timestamptz(3) NOT NULL DEFAULT CURRENT_TIMESTAMP,
  created_at timestamptz(3) NOT NULL DEFAULT CURRENT_TIMESTAMP,
  ended_at timestamptz(3),
  CONSTRAINT turn_batches_pkey PRIMARY KEY (id),
  CONSTRAINT turn_batches_tenant_id_fkey FOREIGN KEY (tenant_id) REFERENCES tenants(id) ON UPDATE CASCADE ON DELETE CASCADE
);
CREATE INDEX turn_batches_open_idx ON turn_batches USING btree (tenant_id) WHERE (status = ANY (ARRAY['in_progress'::text, 'paused'::text, 'cancelling'::text]));
CREATE INDEX turn_batches_removed_idx ON turn_batches USING btree (fed_at) WHERE (status = ANY (ARRAY['receiving'::text, 'deleting'::text]));
CREATE INDEX turn_batches_tenant_id_id_idx ON turn_batches USING btree (tenant_id, id);

CREATE TABLE turn_labels (
  turn_id text NOT NULL,
  key text NOT NULL,
  tenant_id text NOT NULL,
  value text NOT NULL,
  CONSTRAINT turn_labels_pkey PRIMARY KEY (turn_id, key),
  CONSTRAINT turn_labels_turn_id_fkey FOREIGN KEY (turn_id) REFERENCES turns(id) ON UPDATE CASCADE ON DELETE CASCADE
);
CREATE INDEX turn_labels_tenant_id_key_value_turn_id_idx ON turn_labels USING btree (tenant_id, key, value, turn_id);

CREATE TABLE turn_mcp_lists (
  turn_id text NOT NULL,
  server text NOT NULL,
  tenant_id text NOT NULL,
  hash text NOT NULL,
  refused_tools jsonb NOT NULL DEFAULT '[]'::jsonb,
  CONSTRAINT turn_mcp_lists_pkey PRIMARY KEY (turn_id, server),
  CONSTRAINT turn_mcp_lists_turn_id_fkey FOREIGN KEY (turn_id) REFERENCES turns(id) ON UPDATE CASCADE ON DELETE CASCADE
);
CREATE INDEX turn_mcp_lists_tenant_id_hash_idx ON turn_mcp_lists USING btree (tenant_id, hash);

CREATE TABLE turns (
  id text NOT NULL,
  tenant_id text NOT NULL,
  session_id text NOT NULL,
  sequence integer NOT NULL,
  agent_id text NOT NULL,
  agent_version integer NOT NULL,
  status text NOT NULL DEFAULT 'queued'::text,
  stop_reason text,
  output jsonb,
  error jsonb,
  metadata jsonb NOT NULL DEFAULT '{}'::jsonb,
  input_tokens integer NOT NULL DEFAULT 0,
  output_tokens integer NOT NULL DEFAULT 0,
  cache_creation_input_tokens integer NOT NULL DEFAULT 0,
  cache_read_input_tokens integer NOT NULL DEFAULT 0,
  step_count integer NOT NULL DEFAULT 0,
  message_count integer NOT NULL DEFAULT 0,
  event_count integer NOT NULL DEFAULT 0,
  epoch integer NOT NULL DEFAULT 0,
  leased_until timestamptz(3),
  worker_id text,
  attempts integer NOT NULL DEFAULT 0,
  lost_leases integer NOT NULL DEFAULT 0,
  model_attempts integer NOT NULL DEFAULT 0,
  ready_at timestamptz(3),
  available_at timestamptz(3),
  dispatched_at timestamptz(3),
  hint integer NOT NULL DEFAULT 0,
  hinted_at timestamptz(3),
  created_at timestamptz(3) NOT NULL DEFAULT CURRENT_TIMESTAMP,
  started_at timestamptz(3),
  finished_at timestamptz(3),
  deadline_at timestamptz(3) NOT NULL,
  pending_inputs jsonb NOT NULL DEFAULT '[]'::jsonb,
  rolled_back boolean NOT NULL DEFAULT false,
  action_expires_at timestamptz(3),
  priority integer NOT NULL DEFAULT 0,
  run_at timestamptz(3),
  webhook_url text,
  events_cut integer NOT NULL DEFAULT 0,
  cost_micros bigint NOT NULL DEFAULT 0,
  budget_micros bigint,
  reserved_micros bigint NOT NULL DEFAULT 0,
  reserved_tokens integer NOT NULL DEFAULT 0,
  resumes text,
  traceparent text,
  partial boolean NOT NULL DEFAULT false,
  outage text,
  pool text NOT NULL DEFAULT 'default'::text,
  code_tools text[] DEFAULT ARRAY[]::text[],
  queue text,
  waiting_for jsonb,
  output_is_json boolean NOT NULL DEFAULT false,
  parent_turn_id text,
  parent_tool_call_id text,
  root_turn_id text,
  ancestors text[] DEFAULT ARRAY[]::text[],
  waits_for_children boolean NOT NULL DEFAULT false,
  overrides jsonb,
  batch_id text,
  copied_from text,
  CONSTRAINT turns_pkey PRIMARY KEY (id),
  CONSTRAINT turns_session_id_fkey FOREIGN KEY (session_id) REFERENCES sessions(id) ON UPDATE CASCADE ON DELETE CASCADE,
  CONSTRAINT turns_action_check CHECK (((action_expires_at IS NOT NULL) = (status = 'requires_action'::text))),
  CONSTRAINT turns_cost_check CHECK (((cost_micros >= 0) AND (reserved_micros >= 0) AND (reserved_tokens >= 0))),
  CONSTRAINT turns_finished_check CHECK (((finished_at IS NOT NULL) = (status = ANY (ARRAY['completed'::text, 'failed'::text, 'cancelled'::text, 'incomplete'::text])))),
  CONSTRAINT turns_lease_check CHECK (((leased_until IS NOT NULL) = (status = ANY (ARRAY['in_progress'::text, 'cancelling'::text])))),
  CONSTRAINT turns_pending_inputs_check CHECK ((jsonb_typeof(pending_inputs) = 'array'::text)),
  CONSTRAINT turns_priority_check CHECK (((priority >= '-100'::integer) AND (priority <= 100))),
  CONSTRAINT turns_status_check CHECK ((status = ANY (ARRAY['queued'::text, 'in_progress'::text, 'requires_action'::text, 'cancelling'::text, 'completed'::text, 'failed'::text, 'cancelled'::text, 'incomplete'::text])))
);
CREATE INDEX turns_action_expiring ON turns USING btree (action_expires_at) WHERE (status = 'requires_action'::text);
CREATE INDEX turns_below ON turns USING btree (root_turn_id) WHERE (root_turn_id IS NOT NULL);
CREATE INDEX turns_children ON turns USING btree (parent_turn_id, id) WHERE (parent_turn_id IS NOT NULL);
CREATE INDEX turns_deadline ON turns USING btree (deadline_at) WHERE (status = ANY (ARRAY['queued'::text, 'requires_action'::text]));
CREATE INDEX turns_delayed ON turns USING btree (available_at) WHERE ((status = 'queued'::text) AND (available_at IS NOT NULL));
CREATE INDEX turns_dispatched ON turns USING btree (tenant_id) WHERE (dispatched_at IS NOT NULL);
CREATE INDEX turns_hinted ON turns USING btree (hinted_at) WHERE ((status = 'queued'::text) AND (dispatched_at IS NOT NULL));
CREATE INDEX turns_leased ON turns USING btree (leased_until) WHERE (leased_until IS NOT NULL);
CREATE INDEX turns_needing ON turns USING btree (pool, code_tools, ready_at) WHERE ((status = 'queued'::text) AND (ready_at IS NOT NULL) AND (dispatched_at IS NULL) AND (available_at IS NULL) AND ((pool <> 'default'::text) OR (code_tools <> '{}'::text[])));
CREATE UNIQUE INDEX turns_of_tool_call ON turns USING btree (parent_tool_call_id) WHERE (parent_tool_call_id IS NOT NULL);
CREATE UNIQUE INDEX turns_one_running_per_session ON turns USING btree (session_id) WHERE (status = ANY (ARRAY['in_progress'::text, 'requires_action'::text, 'cancelling'::text]));
CREATE INDEX turns_open ON turns USING btree (session_id, sequence) WHERE (status = ANY (ARRAY['queued'::text, 'in_progress'::text, 'requires_action'::text, 'cancelling'::text]));
CREATE INDEX turns_open_children ON turns USING btree (parent_turn_id) WHERE ((parent_turn_id IS NOT NULL) AND (status = ANY (ARRAY['queued'::text, 'in_progress'::text, 'requires_action'::text, 'cancelling'::text])));
CREATE INDEX turns_parked ON turns USING btree (tenant_id, outage, available_at) WHERE ((status = 'queued'::text) AND (outage IS NOT NULL) AND (available_at IS NOT NULL));
CREATE INDEX turns_ready ON turns USING btree (tenant_id, pool, priority DESC, ready_at) WHERE ((status = 'queued'::text) AND (ready_at IS NOT NULL) AND (dispatched_at IS NULL) AND (available_at IS NULL));
CREATE INDEX turns_reserved ON turns USING btree (tenant_id) INCLUDE (reserved_micros, reserved_tokens) WHERE ((reserved_tokens > 0) AND (leased_until IS NOT NULL));
CREATE INDEX turns_rolled_back ON turns USING btree (session_id, sequence) WHERE rolled_back;
CREATE UNIQUE INDEX turns_session_id_sequence_key ON turns USING btree (session_id, sequence);
CREATE INDEX turns_tenant_id_id_idx ON turns USING btree (tenant_id, id);
CREATE INDEX turns_uncut_idx ON turns USING btree (finished_at) WHERE ((finished_at IS NOT NULL) AND (events_cut = 0));
CREATE INDEX turns_unready ON turns USING btree (session_id, sequence) WHERE ((status = 'queued'::text) AND (ready_at IS NULL));
CREATE INDEX turns_waiting ON turns USING btree (tenant_id) WHERE (status = 'queued'::text);
CREATE INDEX turns_waiting_for ON turns USING btree (pool, code_tools) WHERE ((status = 'queued'::text) AND (waiting_for IS NOT NULL));
CREATE INDEX turns_waiting_for_children ON turns USING btree (id) WHERE ((status = 'queued'::text) AND waits_for_children);
CREATE TRIGGER turns_labels AFTER INSERT ON turns FOR EACH ROW WHEN (new.metadata <> '{}'::jsonb) EXECUTE FUNCTION turnpike_label_turn();
CREATE TRIGGER turns_status_edge AFTER UPDATE OF status ON turns FOR EACH ROW WHEN (old.status <> new.status AND (((old.status || ' '::text) || new.status) <> ALL (ARRAY['queued in_progress'::text, 'queued cancelled'::text, 'queued incomplete'::text, 'in_progress queued'::text, 'in_progress requires_action'::text, 'in_progress cancelling'::text, 'in_progress completed'::text, 'in_progress failed'::text, 'in_progress incomplete'::text, 'requires_action queued'::text, 'requires_action cancelled'::text, 'requires_action incomplete'::text, 'cancelling cancelled'::text]))) EXECUTE FUNCTION turnpike_refuse_status();

CREATE TABLE user_erasures (
  id text NOT NULL,
  tenant_id text NOT NULL,
  user_id text,
  user_hash text NOT NULL,
  key_id text NOT NULL,
  erased_sessions integer NOT NULL DEFAULT 0,
  created_at timestamptz(3) NOT NULL DEFAULT CURRENT_TIMESTAMP,
  completed_at timestamptz(3),
  CONSTRAINT user_erasures_pkey PRIMARY KEY (id),
  CONSTRAINT user_erasures_tenant_id_fkey FOREIGN KEY (tenant_id) REFERENCES tenants(id) ON UPDATE CASCADE ON DELETE CASCADE
);
CREATE INDEX user_erasures_open ON user_erasures USING btree (id) WHERE (completed_at IS NULL);
CREATE UNIQUE INDEX user_erasures_pending ON user_erasures USING btree (tenant_id, user_id) WHERE (completed_at IS NULL);
CREATE INDEX user_erasures_tenant_id_id_idx ON user_erasures USING btree (tenant_id, id);

CREATE TABLE webhook_endpoints (
  id text NOT NULL,
  tenant_id text NOT NULL,
  url text NOT NULL,
  description text NOT NULL DEFAULT ''::text,
  events text[],
  enabled boolean NOT NULL DEFAULT true,
  disabled_reason text,
  disabled_at timestamptz(3),
  failing_since timestamptz(3),
  failures integer NOT NULL DEFAULT 0,
  created_at timestamptz(3) NOT NULL DEFAULT CURRENT_TIMESTAMP,
  updated_at timestamptz(3) NOT NULL DEFAULT CURRENT_TIMESTAMP,
  deleted_at timestamptz(3),
  format text NOT NULL DEFAULT 'turnpike'::text,
  CONSTRAINT webhook_endpoints_pkey PRIMARY KEY (id),
  CONSTRAINT webhook_endpoints_tenant_id_fkey FOREIGN KEY (tenant_id) REFERENCES tenants(id) ON UPDATE CASCADE ON DELETE CASCADE,
  CONSTRAINT webhook_endpoints_disabled_check CHECK (((enabled = (disabled_at IS NULL)) AND (enabled = (disabled_reason IS NULL)) AND ((disabled_reason IS NULL) OR (disabled_reason = ANY (ARRAY['requested'::text, 'gone'::text, 'failing'::text, 'deleted'::text]))))),
  CONSTRAINT webhook_endpoints_format_check CHECK ((format = ANY (ARRAY['turnpike'::text, 'openai'::text])))
);
CREATE INDEX webhook_endpoints_disabled ON webhook_endpoints USING btree (id) WHERE (NOT enabled);
CREATE INDEX webhook_endpoints_tenant_id_id_idx ON webhook_endpoints USING btree (tenant_id, id);

CREATE TABLE webhook_receivers (
  id text NOT NULL,
  tenant_id text NOT NULL,
  failures integer NOT NULL DEFAULT 0,
  openings integer NOT NULL DEFAULT 0,
  open_until timestamptz(3),
  try_at timestamptz(3) NOT NULL,
  CONSTRAINT webhook_receivers_pkey PRIMARY KEY (id),
  CONSTRAINT webhook_receivers_tenant_id_fkey FOREIGN KEY (tenant_id) REFERENCES tenants(id) ON UPDATE CASCADE ON DELETE CASCADE
);
CREATE INDEX webhook_receivers_open ON webhook_receivers USING btree (open_until) WHERE (open_until IS NOT NULL);
CREATE INDEX webhook_receivers_tenant_id_idx ON webhook_receivers USING btree (tenant_id);
CREATE INDEX webhook_receivers_try_at_idx ON webhook_receivers USING btree (try_at);

CREATE TABLE webhook_secrets (
  owner text NOT NULL,
  version integer NOT NULL,
  tenant_id text NOT NULL,
  envelope text NOT NULL,
  created_at timestamptz(3) NOT NULL DEFAULT CURRENT_TIMESTAMP,
  expires_at timestamptz(3),
  CONSTRAINT webhook_secrets_pkey PRIMARY KEY (owner, version),
  CONSTRAINT webhook_secrets_tenant_id_fkey FOREIGN KEY (tenant_id) REFERENCES tenants(id) ON UPDATE CASCADE ON DELETE CASCADE
);
CREATE INDEX webhook_secrets_tenant_id_idx ON webhook_secrets USING btree (tenant_id);

CREATE TABLE worker_builds (
  id text NOT NULL,
  pool text NOT NULL,
  version text,
  tools jsonb NOT NULL,
  created_at timestamptz(3) NOT NULL DEFAULT CURRENT_TIMESTAMP,
  seen_at timestamptz(3) NOT NULL DEFAULT CURRENT_TIMESTAMP,
  CONSTRAINT worker_builds_pkey PRIMARY KEY (id)
);

CREATE TABLE workers (
  id text NOT NULL,
  concurrency integer NOT NULL,
  seen_at timestamptz(3) NOT NULL DEFAULT CURRENT_TIMESTAMP,
  pool text NOT NULL DEFAULT 'default'::text,
  queue text NOT NULL DEFAULT 'turns'::text,
  code_tools text[] DEFAULT ARRAY[]::text[],
  build text,
  CONSTRAINT workers_pkey PRIMARY KEY (id)
);
