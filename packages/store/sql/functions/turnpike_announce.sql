-- Records an event of the tenant that belongs to no turn, with its deliveries.
--
-- Invariant: the event and its deliveries are committed together, with the rest of the caller's transaction.
--
-- event_payload: an object, the `data` of the webhook's body; small, since a body stays under 20 kB.
-- only_endpoint: sends the event to this endpoint alone, whatever it subscribed to.
CREATE OR REPLACE FUNCTION turnpike_announce(
    tenant text, event_id text, event_type text, event_payload jsonb, only_endpoint text DEFAULT NULL
) RETURNS void
LANGUAGE plpgsql VOLATILE AS $$
BEGIN
    INSERT INTO tenant_events (id, tenant_id, type, payload) VALUES (event_id, tenant, event_type, event_payload);
    INSERT INTO deliveries (id, tenant_id, endpoint_id, lane, event_id, type, payload, status)
    SELECT turnpike_new_id('dlv'), tenant, endpoint.id, endpoint.id, event_id, event_type, event_payload,
           CASE WHEN endpoint.enabled THEN 'pending' ELSE 'dead' END
    FROM webhook_endpoints AS endpoint
    WHERE endpoint.tenant_id = tenant AND endpoint.deleted_at IS NULL
      AND (endpoint.id = only_endpoint OR (only_endpoint IS NULL AND event_type = ANY (endpoint.events)));
END;
$$;
