-- Where a session was forked from, and which turns are copies.
ALTER TABLE "sessions" ADD COLUMN "forked_from" TEXT;
ALTER TABLE "sessions" ADD COLUMN "forked_turn_id" TEXT;
ALTER TABLE "sessions" ADD COLUMN "forked_step" INTEGER;
ALTER TABLE "sessions" ADD COLUMN "rerun_of" TEXT;
ALTER TABLE "turns" ADD COLUMN "copied_from" TEXT;

-- The forks of a session: who erases it finds them.
CREATE INDEX "sessions_forks" ON "sessions"("forked_from", "id") WHERE forked_from IS NOT NULL;
