-- A push configuration that is replaced or removed ends the deliveries that wait for its URL.
-- Adds a push configuration to a turn, or replaces the one with its id. Null: the turn has `most` of others.
--
-- Invariant: of an event at which the turn ends or waits for input, each configuration gets a delivery, in whatever order
-- the two are committed. The turn's row is locked first: whoever ends the turn either has done so, and the event is
-- delivered from here, or waits, and the trigger `turnpike_deliver_turn_events` finds the configuration. Whoever adds
-- another one to the turn waits as well, and counts this one.
--
-- Invariant: what a configuration is sent with goes to its own URL. Deliveries that wait for another one end here, and
-- a worker that holds one of them can record nothing more, nor send: it reads the credentials for the URL that it has.
CREATE OR REPLACE FUNCTION turnpike_add_push_config(
    tenant text, wanted_turn text, config_id text, config_url text, config_scheme text, config_envelope text,
    most integer
) RETURNS text
LANGUAGE plpgsql VOLATILE AS $$
DECLARE
    turn_status text;
BEGIN
    SELECT status INTO turn_status FROM turns WHERE id = wanted_turn AND tenant_id = tenant FOR NO KEY UPDATE;
    IF turn_status IS NULL OR (SELECT count(*) FROM push_configs WHERE turn_id = wanted_turn AND id <> config_id) >= most
    THEN
        RETURN NULL;
    END IF;
    INSERT INTO push_configs (turn_id, id, tenant_id, url, scheme, envelope)
    VALUES (wanted_turn, config_id, tenant, config_url, config_scheme, config_envelope)
    ON CONFLICT (turn_id, id) DO UPDATE
    SET url = excluded.url, scheme = excluded.scheme, envelope = excluded.envelope;
    UPDATE deliveries SET status = 'dead', claim = claim + 1, hinted_at = NULL, claimed_until = NULL
    WHERE turn_id = wanted_turn AND push_config_id = config_id AND url <> config_url
      AND status IN ('pending', 'failed');
    INSERT INTO deliveries (id, tenant_id, url, lane, event_id, type, turn_id, payload, push_config_id)
    SELECT turnpike_new_id('dlv'), tenant, config_url, tenant || ' ' || substring(config_url FROM '^[a-z]+://[^/?#]+'), event.id, event.type,
           wanted_turn,
           turnpike_turn_snapshot(wanted_turn) || jsonb_build_object('sequence_number', event.sequence_number),
           config_id
    FROM events AS event
    WHERE event.turn_id = wanted_turn AND event.type = 'turn.' || turn_status
      AND turn_status IN ('requires_action', 'completed', 'failed', 'cancelled', 'incomplete')
    ORDER BY event.sequence_number DESC LIMIT 1;
    RETURN config_id;
END;
$$;

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
