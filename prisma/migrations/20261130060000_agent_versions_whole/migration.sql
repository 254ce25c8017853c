-- A version is the whole agent, so that it can be read and restored as it was. Versions that are older than this
-- have neither name nor metadata of their own, and what writes them meanwhile need not know these columns.
ALTER TABLE "agent_versions" ADD COLUMN "name" TEXT, ADD COLUMN "metadata" JSONB;
