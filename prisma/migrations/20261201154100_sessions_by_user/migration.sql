-- Each statement by itself.
-- One that could not be built to its end is invalid, and built anew.
DROP INDEX CONCURRENTLY IF EXISTS "sessions_by_user";
CREATE INDEX CONCURRENTLY IF NOT EXISTS "sessions_by_user" ON "sessions" ("tenant_id", "user_id", "id") WHERE "user_id" IS NOT NULL;
