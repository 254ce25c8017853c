-- AlterTable
-- Blocks that the model API refused stay in the record, and the model is shown a short text in their place.
ALTER TABLE "messages" ADD COLUMN "partial" BOOLEAN NOT NULL DEFAULT false,
    ADD COLUMN "refused" JSONB NOT NULL DEFAULT '[]';

-- AlterTable
ALTER TABLE "turns" ADD COLUMN "partial" BOOLEAN NOT NULL DEFAULT false;

-- What Prisma's schema cannot say ------------------------------------------------------------

ALTER TABLE "messages" ADD CONSTRAINT "messages_refused_check" CHECK (jsonb_typeof("refused") = 'array');
