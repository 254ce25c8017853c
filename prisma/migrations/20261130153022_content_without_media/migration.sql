-- What a claim reads of messages whose images are too old to be sent. Messages that are stored already keep null: they
-- are read whole, as before.
ALTER TABLE "messages" ADD COLUMN "content_without_media" JSONB;

CREATE OR REPLACE FUNCTION turnpike_omit_source(block jsonb) RETURNS jsonb
LANGUAGE sql IMMUTABLE AS $$
    SELECT CASE WHEN block ->> 'type' IN ('image', 'document') AND length(block #>> '{source,data}') > 1000
        THEN block || jsonb_build_object('source', jsonb_build_object(
            'type', 'omitted', 'characters', length(block #>> '{source,data}')))
        ELSE block END;
$$;

CREATE OR REPLACE FUNCTION turnpike_set_content_without_media() RETURNS trigger
LANGUAGE plpgsql AS $$
BEGIN
    SELECT jsonb_agg(
        CASE WHEN block.value ->> 'type' <> 'tool_result' OR jsonb_typeof(block.value -> 'content') <> 'array'
             THEN turnpike_omit_source(block.value)
             ELSE block.value || jsonb_build_object('content', (
                 SELECT coalesce(jsonb_agg(turnpike_omit_source(item.value) ORDER BY item.place), '[]')
                 FROM jsonb_array_elements(block.value -> 'content') WITH ORDINALITY AS item(value, place)))
        END ORDER BY block.place)
    INTO NEW.content_without_media
    FROM jsonb_array_elements(NEW.content) WITH ORDINALITY AS block(value, place);
    IF NEW.content_without_media = NEW.content THEN
        NEW.content_without_media := NULL;
    END IF;
    RETURN NEW;
END;
$$;

CREATE TRIGGER "messages_without_media" BEFORE INSERT ON "messages"
  FOR EACH ROW WHEN (pg_column_size(NEW.content) > 32768)
  EXECUTE FUNCTION turnpike_set_content_without_media();
