-- The first day of the current day or month in UTC, which budgets are counted by.
--
-- Invariant: stable within a transaction.
CREATE OR REPLACE FUNCTION turnpike_period_start(period text) RETURNS date
LANGUAGE sql STABLE AS $$ SELECT date_trunc(period, now() AT TIME ZONE 'UTC')::date $$;
