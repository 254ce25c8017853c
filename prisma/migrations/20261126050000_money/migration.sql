-- AlterTable
ALTER TABLE "sessions" ADD COLUMN "budget_micros" BIGINT;

-- AlterTable
ALTER TABLE "turns" ADD COLUMN "cost_micros" BIGINT NOT NULL DEFAULT 0,
    ADD COLUMN "budget_micros" BIGINT,
    ADD COLUMN "reserved_micros" BIGINT NOT NULL DEFAULT 0,
    ADD COLUMN "reserved_tokens" INTEGER NOT NULL DEFAULT 0,
    ADD COLUMN "resumes" TEXT;

-- AlterTable
ALTER TABLE "steps" ADD COLUMN "cost_micros" BIGINT NOT NULL DEFAULT 0;

-- CreateTable
CREATE TABLE "ledger_entries" (
    "step_id" TEXT NOT NULL,
    "tenant_id" TEXT NOT NULL,
    "session_id" TEXT NOT NULL,
    "turn_id" TEXT NOT NULL,
    "agent_id" TEXT NOT NULL,
    "model" TEXT NOT NULL,
    "input_tokens" INTEGER NOT NULL,
    "output_tokens" INTEGER NOT NULL,
    "cache_creation_input_tokens" INTEGER NOT NULL,
    "cache_read_input_tokens" INTEGER NOT NULL,
    "cost_micros" BIGINT NOT NULL,
    "counted" BOOLEAN NOT NULL,
    "spent_at" TIMESTAMPTZ(3) NOT NULL DEFAULT CURRENT_TIMESTAMP,

    CONSTRAINT "ledger_entries_pkey" PRIMARY KEY ("step_id")
);

-- CreateTable
CREATE TABLE "budgets" (
    "tenant_id" TEXT NOT NULL,
    "period" TEXT NOT NULL,
    "set_by" TEXT NOT NULL,
    "limit_micros" BIGINT NOT NULL,
    "updated_at" TIMESTAMPTZ(3) NOT NULL DEFAULT CURRENT_TIMESTAMP,

    CONSTRAINT "budgets_pkey" PRIMARY KEY ("tenant_id","period","set_by")
);

-- CreateTable
CREATE TABLE "spending" (
    "tenant_id" TEXT NOT NULL,
    "period" TEXT NOT NULL,
    "starts_on" DATE NOT NULL,
    "spent_micros" BIGINT NOT NULL DEFAULT 0,
    "warned_micros" BIGINT NOT NULL DEFAULT 0,
    "exhausted_micros" BIGINT NOT NULL DEFAULT 0,

    CONSTRAINT "spending_pkey" PRIMARY KEY ("tenant_id","period","starts_on")
);

-- CreateIndex
CREATE INDEX "ledger_entries_tenant_id_spent_at_idx" ON "ledger_entries"("tenant_id", "spent_at");

-- AddForeignKey
ALTER TABLE "budgets" ADD CONSTRAINT "budgets_tenant_id_fkey" FOREIGN KEY ("tenant_id") REFERENCES "tenants"("id") ON DELETE CASCADE ON UPDATE CASCADE;

-- AddForeignKey
ALTER TABLE "spending" ADD CONSTRAINT "spending_tenant_id_fkey" FOREIGN KEY ("tenant_id") REFERENCES "tenants"("id") ON DELETE CASCADE ON UPDATE CASCADE;

-- What Prisma's schema cannot say ------------------------------------------------------------

ALTER TABLE "budgets" ADD CONSTRAINT "budgets_period_check" CHECK ("period" IN ('day', 'month'));
ALTER TABLE "budgets" ADD CONSTRAINT "budgets_set_by_check" CHECK ("set_by" IN ('operator', 'tenant'));
ALTER TABLE "budgets" ADD CONSTRAINT "budgets_limit_check" CHECK ("limit_micros" >= 0);
ALTER TABLE "turns" ADD CONSTRAINT "turns_cost_check" CHECK ("cost_micros" >= 0 AND "reserved_micros" >= 0 AND "reserved_tokens" >= 0);

-- What was spent and is not in `spending` yet.
CREATE INDEX "ledger_entries_uncounted" ON "ledger_entries"("tenant_id") WHERE NOT "counted";

-- What calls under way may come to cost. A turn that lost its worker holds nothing.
CREATE INDEX "turns_reserved" ON "turns"("tenant_id") INCLUDE ("reserved_micros", "reserved_tokens")
    WHERE "reserved_tokens" > 0 AND "leased_until" IS NOT NULL;

-- When the day and the month began that now is in. Budgets go by UTC.
CREATE FUNCTION "turnpike_period_start"(period text) RETURNS date
LANGUAGE sql STABLE AS $$ SELECT date_trunc(period, now() AT TIME ZONE 'UTC')::date $$;

-- Moves what a tenant spent from the ledger into its sums, and announces a budget of which four fifths,
-- or all, are spent: once for each amount that it is set to.
--
-- Invariant: each entry of the ledger is in the sums once. They are changed under the tenant's budget lock, and
-- an entry is marked as counted in the statement that adds it.
CREATE FUNCTION "turnpike_count_spending"(spending_tenant text, event_ids text[]) RETURNS void
LANGUAGE plpgsql VOLATILE AS $$
DECLARE
    sum record;
    place integer := 0;
BEGIN
    PERFORM pg_advisory_xact_lock(hashtextextended('turnpike.budget ' || spending_tenant, 0));
    WITH entry AS (
        UPDATE ledger_entries SET counted = true
        WHERE tenant_id = spending_tenant AND NOT counted
        RETURNING cost_micros, spent_at
    )
    INSERT INTO spending (tenant_id, period, starts_on, spent_micros)
    SELECT spending_tenant, period, date_trunc(period, spent_at AT TIME ZONE 'UTC')::date, sum(cost_micros)
    FROM entry CROSS JOIN unnest(ARRAY['day', 'month']) AS period
    GROUP BY 2, 3
    ON CONFLICT (tenant_id, period, starts_on)
    DO UPDATE SET spent_micros = spending.spent_micros + excluded.spent_micros;

    FOR sum IN
        SELECT spending.*, budget.limit_micros,
               spending.spent_micros >= budget.limit_micros AS is_exhausted
        FROM spending
        JOIN (SELECT period, min(limit_micros) AS limit_micros FROM budgets
              WHERE tenant_id = spending_tenant GROUP BY period) AS budget USING (period)
        WHERE spending.tenant_id = spending_tenant AND spending.starts_on = turnpike_period_start(period)
          AND spending.spent_micros >= budget.limit_micros * 0.8
          AND CASE WHEN spending.spent_micros >= budget.limit_micros THEN spending.exhausted_micros
                   ELSE spending.warned_micros END < budget.limit_micros
    LOOP
        place := place + 1;
        PERFORM turnpike_announce(
            spending_tenant, event_ids[place],
            CASE WHEN sum.is_exhausted THEN 'budget.exhausted' ELSE 'budget.threshold_reached' END,
            jsonb_build_object('period', sum.period, 'starts_on', sum.starts_on, 'limit_micros', sum.limit_micros,
                               'spent_micros', sum.spent_micros,
                               'percent', CASE WHEN sum.is_exhausted THEN 100 ELSE 80 END));
        UPDATE spending
        SET warned_micros = sum.limit_micros,
            exhausted_micros = CASE WHEN sum.is_exhausted THEN sum.limit_micros ELSE exhausted_micros END
        WHERE tenant_id = sum.tenant_id AND period = sum.period AND starts_on = sum.starts_on;
    END LOOP;
END;
$$;

-- Puts aside what a model call may cost at most, in money and tokens, before it is made.
--
-- Invariant: what is spent and what is put aside never come to more than a budget, or than the tokens of a minute. Reservations of a tenant
-- are made one after another under its budget lock. Meanwhile others may commit what they spent: what they
-- put aside is read before what was spent, so that it is seen twice rather than not at all.
--
-- Answers `lost` where the lease does not hold, `granted`, `wait` where it fits once other calls are done,
-- `tokens` where it fits into a later minute, or the budget that it does not fit in: `turn`, `session`, `day`
-- or `month`. A call that is more than a whole minute's tokens is let through when nothing else is.
CREATE FUNCTION "turnpike_reserve"(
    spending_turn text, lease_epoch integer, amount bigint, tokens integer, event_ids text[]
) RETURNS text
LANGUAGE plpgsql VOLATILE AS $$
DECLARE
    turn turns%ROWTYPE;
    tight text;
    session_limit bigint;
    others bigint;
    others_tokens bigint;
    minute_tokens bigint;
    minute_limit bigint;
BEGIN
    SELECT * INTO turn FROM turns WHERE id = spending_turn AND epoch = lease_epoch AND leased_until > now();
    IF NOT FOUND THEN RETURN 'lost'; END IF;
    PERFORM pg_advisory_xact_lock(hashtextextended('turnpike.budget ' || turn.tenant_id, 0));

    IF turn.cost_micros + amount > turn.budget_micros THEN RETURN 'turn'; END IF;
    SELECT sessions.budget_micros INTO session_limit FROM sessions WHERE sessions.id = turn.session_id;
    -- A long session is added up only where it has a budget.
    IF session_limit IS NOT NULL
       AND (SELECT sum(turns.cost_micros) FROM turns WHERE turns.session_id = turn.session_id) + amount > session_limit
    THEN
        RETURN 'session';
    END IF;

    SELECT coalesce(sum(turns.reserved_micros), 0), coalesce(sum(turns.reserved_tokens), 0)
    INTO others, others_tokens FROM turns
    WHERE turns.tenant_id = turn.tenant_id AND turns.reserved_tokens > 0 AND turns.leased_until IS NOT NULL
      AND turns.id <> turn.id;
    PERFORM turnpike_count_spending(turn.tenant_id, event_ids);
    SELECT CASE WHEN spent + amount > limit_micros THEN period ELSE 'wait' END INTO tight
    FROM (
        SELECT budgets.period, min(budgets.limit_micros) AS limit_micros, coalesce(max(spending.spent_micros), 0) AS spent
        FROM budgets LEFT JOIN spending
          ON spending.tenant_id = budgets.tenant_id AND spending.period = budgets.period
         AND spending.starts_on = turnpike_period_start(budgets.period)
        WHERE budgets.tenant_id = turn.tenant_id GROUP BY budgets.period
    ) AS budget
    WHERE spent + others + amount > limit_micros
    ORDER BY (spent + amount > limit_micros) DESC, period
    LIMIT 1;
    IF FOUND THEN RETURN tight; END IF;

    SELECT (tenants.limits ->> 'tokens_per_minute')::bigint INTO minute_limit
    FROM tenants WHERE tenants.id = turn.tenant_id;
    IF minute_limit IS NOT NULL THEN
        -- What is read from the cache counts for nothing, as with the provider's own limits.
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

-- Sets a budget of a tenant. The sums are made anew from the ledger, which they may not have been kept for so
-- far: an entry that is made where there is no budget is marked as counted from the first.
CREATE FUNCTION "turnpike_set_budget"(spending_tenant text, for_period text, by text, amount bigint, event_ids text[])
RETURNS void
LANGUAGE plpgsql VOLATILE AS $$
BEGIN
    PERFORM pg_advisory_xact_lock(hashtextextended('turnpike.budget ' || spending_tenant, 0));
    INSERT INTO budgets (tenant_id, period, set_by, limit_micros) VALUES (spending_tenant, for_period, by, amount)
    ON CONFLICT (tenant_id, period, set_by) DO UPDATE SET limit_micros = excluded.limit_micros, updated_at = now();

    WITH entry AS (
        UPDATE ledger_entries SET counted = true WHERE tenant_id = spending_tenant AND NOT counted
    )
    INSERT INTO spending (tenant_id, period, starts_on, spent_micros)
    SELECT spending_tenant, period, turnpike_period_start(period),
           coalesce((SELECT sum(cost_micros) FROM ledger_entries
                     WHERE tenant_id = spending_tenant
                       AND spent_at >= turnpike_period_start(period)::timestamp AT TIME ZONE 'UTC'), 0)
    FROM unnest(ARRAY['day', 'month']) AS period
    ON CONFLICT (tenant_id, period, starts_on) DO UPDATE SET spent_micros = excluded.spent_micros;
    PERFORM turnpike_count_spending(spending_tenant, event_ids);
END;
$$;
