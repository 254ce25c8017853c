-- Makes an id in the format of packages/contract: a prefix and a UUIDv7 (RFC 9562) in Crockford base32.
--
-- Invariant: ids made later sort later, to the millisecond.
CREATE OR REPLACE FUNCTION turnpike_new_id(prefix text) RETURNS text
LANGUAGE plpgsql VOLATILE AS $$
DECLARE
    milliseconds bigint := floor(extract(epoch FROM clock_timestamp()) * 1000);
    random text := replace(gen_random_uuid()::text, '-', '');
    -- 48 bits of time, then the version, 12 random bits, the variant, and the random rest.
    hex text := lpad(to_hex(milliseconds), 12, '0') || '7' || substr(random, 14, 19);
    bits bit(130) := B'00' || ('x' || hex)::bit(128);
    digits text := '';
BEGIN
    FOR place IN 0..25 LOOP
        digits := digits || substr('0123456789abcdefghjkmnpqrstvwxyz',
                                   substring(bits FROM place * 5 + 1 FOR 5)::bit(5)::integer + 1, 1);
    END LOOP;
    RETURN prefix || '_' || digits;
END;
$$;
