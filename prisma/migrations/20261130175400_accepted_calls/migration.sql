-- Which definition of a tool in code accepted a call: it stays valid where a newer one has another schema.
ALTER TABLE "tool_calls" ADD COLUMN "accepted_by" TEXT;
