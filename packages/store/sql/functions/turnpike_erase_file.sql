-- Trigger function: notes that the bytes of a deleted file are to be erased from where they are stored.
--
-- Invariant: bytes are written only for a file that has a row, and a row is deleted only together with this note. So
-- whatever deletes it (a request, its session, its tenant, a purge), and whoever dies then, no bytes are left behind.
--
-- Object storage may be written to until an upload has ended, so what is erased there is erased after that.
CREATE OR REPLACE FUNCTION turnpike_erase_file() RETURNS trigger
LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO erased_files (storage, key, erase_at)
    VALUES (OLD.storage, OLD.id,
            CASE WHEN OLD.storage <> 'postgres' AND OLD.status = 'uploading'
                 THEN greatest(now(), OLD.upload_until) ELSE now() END)
    ON CONFLICT DO NOTHING;
    IF OLD.storage <> 'postgres' AND OLD.status = 'uploading' THEN
        INSERT INTO erased_files (storage, key, erase_at)
        VALUES (OLD.storage, 'uploads/' || OLD.id, greatest(now(), OLD.upload_until))
        ON CONFLICT DO NOTHING;
    END IF;
    RETURN NULL;
END;
$$;
