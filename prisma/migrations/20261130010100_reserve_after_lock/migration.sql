-- Puts aside what a model call may cost at most, in money and tokens, before it is made.
--
-- Invariant: what is spent and what is put aside never come to more than a budget, or than the tokens of a
-- minute. Reservations of a tenant are made one after another under its budget lock, and all that one relies on is
-- read after that lock is held. Meanwhile others may commit what they spent: what they put aside is read before what
-- was spent, so that it is seen twice rather than not at all.
--
-- Answers `lost` where the lease does not hold, `granted`, `wait` where it fits once other calls are done,
-- `tokens` where it fits into a later minute, or the budget that it does not fit in: `turn`, `session`, `day`
-- or `month`. A call that is more than a whole minute's tokens is let through when nothing else is.
CREATE OR REPLACE FUNCTION "turnpike_reserve"(
    spending_turn text, lease_epoch integer, amount bigint, tokens integer, event_ids text[]
) RETURNS text
LANGUAGE plpgsql VOLATILE AS $$
DECLARE
    of_tenant text;
    turn turns%ROWTYPE;
    tight text;
    session_limit bigint;
    others bigint;
    others_tokens bigint;
    minute_tokens bigint;
    minute_limit bigint;
BEGIN
    SELECT tenant_id INTO of_tenant FROM turns WHERE id = spending_turn AND epoch = lease_epoch;
    IF NOT FOUND THEN RETURN 'lost'; END IF;
    PERFORM pg_advisory_xact_lock(hashtextextended('turnpike.budget ' || of_tenant, 0));
    -- After the lock, which may have been waited for: what it cost so far, and whether it is held, is as of now.
    SELECT * INTO turn FROM turns
    WHERE id = spending_turn AND epoch = lease_epoch AND leased_until > clock_timestamp();
    IF NOT FOUND THEN RETURN 'lost'; END IF;

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
