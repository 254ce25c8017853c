-- A large answer is stored packed, and without what is stored elsewhere; `body` is null then.
ALTER TABLE "idempotency_records" ADD COLUMN "packed" BYTEA,
    ADD COLUMN "omitted" TEXT[] DEFAULT ARRAY[]::TEXT[],
    ALTER COLUMN "body" DROP NOT NULL;

-- Checked for new rows alone, so that nothing is read; records are deleted within a day.
ALTER TABLE "idempotency_records" ADD CONSTRAINT "idempotency_records_body_check"
    CHECK (("body" IS NULL) <> ("packed" IS NULL)) NOT VALID;
