-- Removes a push configuration of a turn, if there is one, and ends its deliveries. Whether there was one.
--
-- Invariant: nothing waits for a configuration that is not there. The turn's row is locked first: whoever writes an event
-- of the turn has committed its deliveries, which are seen here, or waits, and its trigger finds no configuration.
-- A worker that is sending a delivery holds it by its claim, which is raised: what it records matches nothing any more,
-- and it is not sent again.
CREATE OR REPLACE FUNCTION turnpike_remove_push_config(tenant text, wanted_turn text, config_id text) RETURNS boolean
LANGUAGE plpgsql VOLATILE AS $$
BEGIN
    PERFORM 1 FROM turns WHERE id = wanted_turn AND tenant_id = tenant FOR SHARE;
    DELETE FROM push_configs WHERE turn_id = wanted_turn AND id = config_id AND tenant_id = tenant;
    IF NOT FOUND THEN
        RETURN false;
    END IF;
    UPDATE deliveries SET status = 'dead', claim = claim + 1, hinted_at = NULL, claimed_until = NULL
    WHERE turn_id = wanted_turn AND push_config_id = config_id AND status IN ('pending', 'failed');
    RETURN true;
END;
$$;
