-- Trigger function: stores the message's content once more, with `{"type": "omitted", "characters": n}` as the source of
-- each image and document, where it has any. A claim reads this of messages whose images are too old to be sent, so
-- that what it reads does not grow with the session's images.
--
-- Invariant: `content_without_media` is null, or it is `content` in which only sources of images and documents differ.
--
-- It is called for large messages only (see the trigger's WHEN in ../schema.sql).
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
