-- Trigger function: keeps session_labels in step with a session's metadata.
--
-- Invariant: the labels of a session are the entries of its metadata, whichever statement wrote it.
CREATE OR REPLACE FUNCTION turnpike_label_session() RETURNS trigger
LANGUAGE plpgsql AS $$
BEGIN
    IF TG_OP = 'UPDATE' THEN DELETE FROM session_labels WHERE session_id = NEW.id; END IF;
    INSERT INTO session_labels (session_id, key, tenant_id, value)
    SELECT NEW.id, label.key, NEW.tenant_id, label.value FROM jsonb_each_text(NEW.metadata) AS label;
    RETURN NULL;
END;
$$;
