-- Trigger function: keeps the audit log append-only, also for the role that owns the table.
--
-- Invariant: rows of audit_entries are never changed. They are deleted only by a transaction that called
-- turnpike_allow_audit_purge: retention where an operator turned it on, and the deletion of a tenant.
--
-- The trigger runs for each statement, so a statement that matches no row is refused too.
CREATE OR REPLACE FUNCTION refuse_audit_change() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  IF TG_OP = 'DELETE' AND current_setting('turnpike.audit_purge', true) = 'on' THEN
    RETURN NULL;
  END IF;
  RAISE EXCEPTION 'audit_entries is append-only: % is refused', TG_OP USING ERRCODE = 'insufficient_privilege';
END;
$$;
