-- Adds what a tenant spent, from the ledger, to its sums for the day and the month, and announces each budget that is
-- four fifths or fully spent, once for each amount that the budget is set to.
--
-- Invariant: each ledger entry is in the sums exactly once. The sums change under the tenant's budget lock, and an entry
-- is marked as counted in the statement that adds it.
CREATE OR REPLACE FUNCTION turnpike_count_spending(spending_tenant text, event_ids text[]) RETURNS void
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
