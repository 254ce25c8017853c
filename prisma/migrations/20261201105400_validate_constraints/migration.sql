-- Constraints that were added without a look at the rows that were there. Reads and writes go on meanwhile.
ALTER TABLE "idempotency_records" VALIDATE CONSTRAINT "idempotency_records_body_check";
ALTER TABLE "webhook_endpoints" VALIDATE CONSTRAINT "webhook_endpoints_format_check";
