-- AlterTable
ALTER TABLE "turns" ADD COLUMN "outage" TEXT;

-- CreateTable
CREATE TABLE "outages" (
    "tenant_id" TEXT NOT NULL,
    "id" TEXT NOT NULL,
    "probe_at" TIMESTAMPTZ(3) NOT NULL,

    CONSTRAINT "outages_pkey" PRIMARY KEY ("tenant_id","id")
);

-- CreateIndex
CREATE INDEX "outages_probe_at_idx" ON "outages"("probe_at");

-- AddForeignKey
ALTER TABLE "outages" ADD CONSTRAINT "outages_tenant_id_fkey" FOREIGN KEY ("tenant_id") REFERENCES "tenants"("id") ON DELETE CASCADE ON UPDATE CASCADE;

-- What Prisma's schema cannot say ------------------------------------------------------------

-- Turns that wait for a model which is away, in the order in which they are let run.
CREATE INDEX "turns_parked" ON "turns"("tenant_id", "outage", "available_at")
    WHERE "status" = 'queued' AND "outage" IS NOT NULL AND "available_at" IS NOT NULL;
