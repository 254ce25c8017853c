-- Events up to this number are no longer kept: a cursor before it is told so.
ALTER TABLE "turns" ADD COLUMN "events_cut" INTEGER NOT NULL DEFAULT 0;

-- What the pass that deletes old events looks for: turns that ended, oldest first, and still have all of theirs.
CREATE INDEX "turns_uncut_idx" ON "turns" ("finished_at") WHERE "finished_at" IS NOT NULL AND "events_cut" = 0;
