-- Trigger function: writes turn_labels for a new turn.
--
-- Invariant: the labels of a turn are the entries of its metadata, which never changes.
CREATE OR REPLACE FUNCTION turnpike_label_turn() RETURNS trigger
LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO turn_labels (turn_id, key, tenant_id, value)
    SELECT NEW.id, label.key, NEW.tenant_id, label.value FROM jsonb_each_text(NEW.metadata) AS label;
    RETURN NULL;
END;
$$;
