-- A block of a message with the data of its image or document left out; any other block as it is.
--
-- Invariant: the result says how many characters were left out, so that what is sent to the model is chosen as if they
-- were there (packages/model/src/conversation/media.ts).
CREATE OR REPLACE FUNCTION turnpike_omit_source(block jsonb) RETURNS jsonb
LANGUAGE sql IMMUTABLE AS $$
    SELECT CASE WHEN block ->> 'type' IN ('image', 'document') AND length(block #>> '{source,data}') > 1000
        THEN block || jsonb_build_object('source', jsonb_build_object(
            'type', 'omitted', 'characters', length(block #>> '{source,data}')))
        ELSE block END;
$$;
