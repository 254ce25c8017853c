-- Lets the current transaction delete audit entries (see refuse_audit_change).
--
-- Invariant: the permission ends with the transaction.
CREATE OR REPLACE FUNCTION turnpike_allow_audit_purge() RETURNS void LANGUAGE sql VOLATILE AS $$
  SELECT set_config('turnpike.audit_purge', 'on', true);
$$;
