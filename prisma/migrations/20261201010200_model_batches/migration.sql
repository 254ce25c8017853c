-- Model calls that go through batches of the model API, and those batches.
CREATE TABLE "model_batches" (
    "id" TEXT NOT NULL,
    "tenant_id" TEXT NOT NULL,
    "status" TEXT NOT NULL DEFAULT 'submitting',
    "provider_id" TEXT,
    "route" JSONB NOT NULL,
    "requests" INTEGER NOT NULL,
    "poll_at" TIMESTAMPTZ(3) NOT NULL,
    "created_at" TIMESTAMPTZ(3) NOT NULL DEFAULT CURRENT_TIMESTAMP,

    CONSTRAINT "model_batches_pkey" PRIMARY KEY ("id")
);

CREATE INDEX "model_batches_poll_idx" ON "model_batches"("poll_at") WHERE status <> 'ended';
ALTER TABLE "model_batches" ADD CONSTRAINT "model_batches_tenant_id_fkey"
    FOREIGN KEY ("tenant_id") REFERENCES "tenants"("id") ON DELETE CASCADE ON UPDATE CASCADE;

CREATE TABLE "batched_calls" (
    "id" TEXT NOT NULL,
    "tenant_id" TEXT NOT NULL,
    "turn_id" TEXT NOT NULL,
    "step_index" INTEGER NOT NULL,
    "status" TEXT NOT NULL DEFAULT 'waiting',
    "batch_id" TEXT,
    "route" JSONB NOT NULL,
    "route_hash" TEXT NOT NULL,
    "body" TEXT,
    "priced" JSONB NOT NULL,
    "most_micros" BIGINT NOT NULL,
    "result" TEXT,
    "abandoned" BOOLEAN NOT NULL DEFAULT false,
    "send_at" TIMESTAMPTZ(3) NOT NULL,
    "created_at" TIMESTAMPTZ(3) NOT NULL DEFAULT CURRENT_TIMESTAMP,

    CONSTRAINT "batched_calls_pkey" PRIMARY KEY ("id")
);

CREATE UNIQUE INDEX "batched_calls_turn_id_step_index_key" ON "batched_calls"("turn_id", "step_index");
CREATE INDEX "batched_calls_batch_id_idx" ON "batched_calls"("batch_id");
CREATE INDEX "batched_calls_tenant_id_idx" ON "batched_calls"("tenant_id");
CREATE INDEX "batched_calls_waiting_idx" ON "batched_calls"("tenant_id", "route_hash", "created_at")
    WHERE status = 'waiting';
CREATE INDEX "batched_calls_ended_idx" ON "batched_calls"("turn_id") WHERE status = 'ended';
ALTER TABLE "batched_calls" ADD CONSTRAINT "batched_calls_tenant_id_fkey"
    FOREIGN KEY ("tenant_id") REFERENCES "tenants"("id") ON DELETE CASCADE ON UPDATE CASCADE;
ALTER TABLE "batched_calls" ADD CONSTRAINT "batched_calls_turn_id_fkey"
    FOREIGN KEY ("turn_id") REFERENCES "turns"("id") ON DELETE CASCADE ON UPDATE CASCADE;
ALTER TABLE "batched_calls" ADD CONSTRAINT "batched_calls_batch_id_fkey"
    FOREIGN KEY ("batch_id") REFERENCES "model_batches"("id") ON DELETE SET NULL ON UPDATE CASCADE;

CREATE OR REPLACE FUNCTION turnpike_reserve(
    spending_turn text, lease_epoch integer, amount bigint, tokens integer, event_ids text[]
) RETURNS text
LANGUAGE plpgsql VOLATILE AS $$
DECLARE
    of_tenant text;
    turn turns%ROWTYPE;
    tight text;
    bound record;
    spent bigint;
    held bigint;
    is_busy boolean := false;
    others bigint;
    others_tokens bigint;
    minute_tokens bigint;
    minute_limit bigint;
BEGIN
    SELECT tenant_id INTO of_tenant FROM turns WHERE id = spending_turn AND epoch = lease_epoch;
    IF NOT FOUND THEN RETURN 'lost'; END IF;
    PERFORM pg_advisory_xact_lock(hashtextextended('turnpike.budget ' || of_tenant, 0));
    -- Read after the lock, which may have taken time to get: the cost so far and the lease are current.
    SELECT * INTO turn FROM turns
    WHERE id = spending_turn AND epoch = lease_epoch AND leased_until > clock_timestamp();
    IF NOT FOUND THEN RETURN 'lost'; END IF;

    -- The turn and those above it. Each budget, and that of each session, bounds what is below it too.
    FOR bound IN
        SELECT turns.id, turns.session_id, turns.budget_micros, sessions.budget_micros AS session_micros
        FROM turns JOIN sessions ON sessions.id = turns.session_id
        WHERE turns.id = ANY (turn.ancestors || turn.id)
    LOOP
        IF bound.budget_micros IS NOT NULL THEN
            SELECT sum(cost_micros), sum(CASE WHEN id = turn.id OR leased_until IS NULL THEN 0 ELSE reserved_micros END
                       + (SELECT coalesce(sum(most_micros), 0) FROM batched_calls
                          WHERE turn_id = family.id AND (family.id <> turn.id OR abandoned)))
            INTO spent, held FROM (
                SELECT id, cost_micros, leased_until, reserved_micros FROM turns WHERE turns.id = bound.id
                UNION ALL
                SELECT id, cost_micros, leased_until, reserved_micros FROM turns
                WHERE turns.root_turn_id = coalesce(turn.root_turn_id, turn.id) AND bound.id = ANY (turns.ancestors)
            ) AS family;
            IF spent + amount > bound.budget_micros THEN RETURN 'turn'; END IF;
            is_busy := is_busy OR spent + held + amount > bound.budget_micros;
        END IF;
        -- Adding up a long session is expensive: only done for a session with a budget.
        IF bound.session_micros IS NOT NULL THEN
            SELECT sum(cost_micros), sum(CASE WHEN id = turn.id OR leased_until IS NULL THEN 0 ELSE reserved_micros END
                       + (SELECT coalesce(sum(most_micros), 0) FROM batched_calls
                          WHERE turn_id = family.id AND (family.id <> turn.id OR abandoned)))
            INTO spent, held FROM (
                SELECT id, cost_micros, leased_until, reserved_micros FROM turns WHERE turns.session_id = bound.session_id
                UNION ALL
                SELECT below.id, below.cost_micros, below.leased_until, below.reserved_micros
                FROM turns AS own CROSS JOIN LATERAL (
                    SELECT * FROM turns WHERE turns.root_turn_id = coalesce(own.root_turn_id, own.id)
                      AND own.id = ANY (turns.ancestors)
                ) AS below
                WHERE own.session_id = bound.session_id
            ) AS family;
            IF spent + amount > bound.session_micros THEN RETURN 'session'; END IF;
            is_busy := is_busy OR spent + held + amount > bound.session_micros;
        END IF;
    END LOOP;
    IF is_busy THEN RETURN 'wait'; END IF;

    SELECT coalesce(sum(turns.reserved_micros), 0), coalesce(sum(turns.reserved_tokens), 0)
    INTO others, others_tokens FROM turns
    WHERE turns.tenant_id = turn.tenant_id AND turns.reserved_tokens > 0 AND turns.leased_until IS NOT NULL
      AND turns.id <> turn.id;
    others := others + (SELECT coalesce(sum(most_micros), 0) FROM batched_calls
                        WHERE tenant_id = turn.tenant_id AND (turn_id <> turn.id OR abandoned));
    PERFORM turnpike_count_spending(turn.tenant_id, event_ids);
    SELECT CASE WHEN budget.spent_micros + amount > limit_micros THEN period ELSE 'wait' END INTO tight
    FROM (
        SELECT budgets.period, min(budgets.limit_micros) AS limit_micros, coalesce(max(spending.spent_micros), 0) AS spent_micros
        FROM budgets LEFT JOIN spending
          ON spending.tenant_id = budgets.tenant_id AND spending.period = budgets.period
         AND spending.starts_on = turnpike_period_start(budgets.period)
        WHERE budgets.tenant_id = turn.tenant_id GROUP BY budgets.period
    ) AS budget
    WHERE budget.spent_micros + others + amount > limit_micros
    ORDER BY (budget.spent_micros + amount > limit_micros) DESC, period
    LIMIT 1;
    IF FOUND THEN RETURN tight; END IF;

    SELECT (tenants.limits ->> 'tokens_per_minute')::bigint INTO minute_limit
    FROM tenants WHERE tenants.id = turn.tenant_id;
    IF minute_limit IS NOT NULL THEN
        -- Tokens read from the prompt cache do not count, as in the provider's own limits.
        SELECT others_tokens + coalesce(sum(input_tokens + output_tokens + cache_creation_input_tokens), 0)
        INTO minute_tokens FROM ledger_entries
        WHERE ledger_entries.tenant_id = turn.tenant_id AND spent_at > now() - interval '1 minute';
        IF minute_tokens > 0 AND minute_tokens + tokens > minute_limit THEN RETURN 'tokens'; END IF;
    END IF;

    UPDATE turns SET reserved_micros = amount, reserved_tokens = tokens
    WHERE id = spending_turn AND epoch = lease_epoch AND leased_until > clock_timestamp();
    RETURN CASE WHEN FOUND THEN 'granted' ELSE 'lost' END;
END;
$$;
