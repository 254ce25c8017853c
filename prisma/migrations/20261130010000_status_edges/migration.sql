-- The moves between statuses, refused where they are not in the tables of the code: packages/turns/src/transitions.ts
-- and packages/store/src/delivery-transitions.ts. Tests beside those compare.
--
-- AFTER, and with the list in WHEN: nothing is called for a move that may be made, and nothing at all is done where a
-- status is not written. A BEFORE trigger would lock the newest version of each row that is updated first.
CREATE FUNCTION "turnpike_refuse_status"() RETURNS trigger
LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION '% does not go from % to %', NEW.id, OLD.status, NEW.status
        USING ERRCODE = 'check_violation', TABLE = TG_TABLE_NAME, CONSTRAINT = TG_NAME;
END;
$$;

CREATE TRIGGER "turns_status_edge" AFTER UPDATE OF "status" ON "turns" FOR EACH ROW
    WHEN (OLD.status <> NEW.status AND OLD.status || ' ' || NEW.status NOT IN (
        'queued in_progress', 'queued cancelled', 'queued incomplete',
        'in_progress queued', 'in_progress requires_action', 'in_progress cancelling', 'in_progress completed',
        'in_progress failed', 'in_progress incomplete',
        'requires_action queued', 'requires_action cancelled', 'requires_action incomplete',
        'cancelling cancelled'))
    EXECUTE FUNCTION "turnpike_refuse_status"();

CREATE TRIGGER "deliveries_status_edge" AFTER UPDATE OF "status" ON "deliveries" FOR EACH ROW
    WHEN (OLD.status <> NEW.status AND OLD.status || ' ' || NEW.status NOT IN (
        'pending failed', 'pending delivered', 'pending dead',
        'failed pending', 'failed delivered', 'failed dead',
        'delivered pending', 'dead pending'))
    EXECUTE FUNCTION "turnpike_refuse_status"();
