-- Sets a budget of a tenant, and computes its sums again from the ledger: entries made while there was no budget were
-- marked as counted without being added.
--
-- Invariant: as turnpike_count_spending, whose lock it holds throughout.
CREATE OR REPLACE FUNCTION turnpike_set_budget(spending_tenant text, for_period text, by text, amount bigint, event_ids text[])
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
