-- The constraint was added without a look at the rows that were there. Reads and writes go on meanwhile.
ALTER TABLE "idempotency_records" VALIDATE CONSTRAINT "idempotency_records_body_check";
