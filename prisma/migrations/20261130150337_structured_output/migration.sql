-- Whether a turn's output is a JSON value that fits the output format of its agent. The default is a constant, so no row
-- is rewritten.
ALTER TABLE "turns" ADD COLUMN "output_is_json" BOOLEAN NOT NULL DEFAULT false;
