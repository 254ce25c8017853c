-- Trigger function: refuses a change of status that is not in the transition tables of the code,
-- packages/turns/src/transitions.ts and packages/store/src/deliveries/delivery-transitions.ts. Tests beside them compare.
--
-- Invariant: a status changes only along an edge of its table.
--
-- The allowed edges are in the trigger's WHEN (see ../schema.sql), so an allowed change calls nothing. The trigger is
-- AFTER: a BEFORE trigger would lock the newest version of each updated row first.
CREATE OR REPLACE FUNCTION turnpike_refuse_status() RETURNS trigger
LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION '% does not go from % to %', NEW.id, OLD.status, NEW.status
        USING ERRCODE = 'check_violation', TABLE = TG_TABLE_NAME, CONSTRAINT = TG_NAME;
END;
$$;
