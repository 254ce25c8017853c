-- Child turns: what a turn starts when it calls another agent.
ALTER TABLE "sessions" ADD COLUMN "parent_session_id" TEXT;
ALTER TABLE "sessions" ADD CONSTRAINT "sessions_parent_session_id_fkey"
  FOREIGN KEY ("parent_session_id") REFERENCES "sessions"("id") ON DELETE CASCADE ON UPDATE CASCADE;
-- For the erasure of a session, which erases the sessions of its child turns.
CREATE INDEX "sessions_children" ON "sessions" ("parent_session_id") WHERE "parent_session_id" IS NOT NULL;

ALTER TABLE "turns"
  ADD COLUMN "parent_turn_id" TEXT,
  ADD COLUMN "parent_tool_call_id" TEXT,
  ADD COLUMN "root_turn_id" TEXT,
  ADD COLUMN "ancestors" TEXT[] DEFAULT ARRAY[]::TEXT[],
  ADD COLUMN "waits_for_children" BOOLEAN NOT NULL DEFAULT false;
-- The idempotency of a call of an agent: it has one child turn at most.
CREATE UNIQUE INDEX "turns_of_tool_call" ON "turns" ("parent_tool_call_id") WHERE "parent_tool_call_id" IS NOT NULL;
-- Child turns of a turn, in lists.
CREATE INDEX "turns_children" ON "turns" ("parent_turn_id", "id") WHERE "parent_turn_id" IS NOT NULL;
-- All turns below a turn that a client submitted: for budgets and limits.
CREATE INDEX "turns_below" ON "turns" ("root_turn_id") WHERE "root_turn_id" IS NOT NULL;
-- What a parked turn waits for, and child turns whose parent has ended before them.
CREATE INDEX "turns_open_children" ON "turns" ("parent_turn_id")
  WHERE "parent_turn_id" IS NOT NULL AND "status" IN ('queued', 'in_progress', 'requires_action', 'cancelling');
-- Turns that are parked until their child turns have ended.
CREATE INDEX "turns_waiting_for_children" ON "turns" ("id") WHERE "status" = 'queued' AND "waits_for_children";

ALTER TABLE "tool_calls" ADD COLUMN "child_turn_id" TEXT;

-- Reserves the most that a model call may cost, in money and tokens, before the call is made.
--
-- Invariant: spent and reserved amounts together never exceed a budget, or a minute's tokens. What child turns spend and
-- reserve counts in the budgets of the turns above them, and of their sessions. A tenant's reservations are
-- made one after another under its budget lock, and everything a decision depends on is read after that lock is held.
-- Other transactions may commit what they spent meanwhile: their reservations are read before the spending, so an amount
-- may be counted twice, never missed.
--
-- Returns `lost` if the lease does not hold, `granted`, `wait` if the call fits once other calls have finished, `tokens`
-- if it fits in a later minute, or the budget that it exceeds: `turn`, `session`, `day` or `month`. A call that needs
-- more than a whole minute's tokens is granted when no other tokens are in use.
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
            SELECT sum(cost_micros), sum(CASE WHEN id = turn.id OR leased_until IS NULL THEN 0 ELSE reserved_micros END)
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
            SELECT sum(cost_micros), sum(CASE WHEN id = turn.id OR leased_until IS NULL THEN 0 ELSE reserved_micros END)
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
