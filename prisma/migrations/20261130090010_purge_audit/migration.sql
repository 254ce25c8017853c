-- The audit log stays append-only for everybody but two: retention, where an operator turned it on, and the deletion
-- of a tenant. Both call `turnpike_allow_audit_purge` first, which holds until their transaction ends.
CREATE OR REPLACE FUNCTION refuse_audit_change() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  IF TG_OP = 'DELETE' AND current_setting('turnpike.audit_purge', true) = 'on' THEN
    RETURN NULL;
  END IF;
  RAISE EXCEPTION 'audit_entries is append-only: % is refused', TG_OP USING ERRCODE = 'insufficient_privilege';
END;
$$;

CREATE FUNCTION "turnpike_allow_audit_purge"() RETURNS void LANGUAGE sql VOLATILE AS $$
  SELECT set_config('turnpike.audit_purge', 'on', true);
$$;
