-- What a turn has instead of the configuration of its agent. No row is rewritten.
ALTER TABLE "turns" ADD COLUMN "overrides" JSONB;
