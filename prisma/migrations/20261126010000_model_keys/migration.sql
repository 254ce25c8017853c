-- AlterTable
-- Tenants that are there already could use the operator's key, and still may. New ones are asked about.
ALTER TABLE "tenants" ADD COLUMN "operator_key" BOOLEAN NOT NULL DEFAULT true;
ALTER TABLE "tenants" ALTER COLUMN "operator_key" SET DEFAULT false;

-- CreateTable
CREATE TABLE "model_settings" (
    "tenant_id" TEXT NOT NULL,
    "keys" TEXT[] DEFAULT ARRAY[]::TEXT[],
    "base_url" TEXT,
    "auth" TEXT NOT NULL DEFAULT 'x-api-key',
    "updated_at" TIMESTAMPTZ(3) NOT NULL DEFAULT CURRENT_TIMESTAMP,

    CONSTRAINT "model_settings_pkey" PRIMARY KEY ("tenant_id")
);

-- AddForeignKey
ALTER TABLE "model_settings" ADD CONSTRAINT "model_settings_tenant_id_fkey" FOREIGN KEY ("tenant_id") REFERENCES "tenants"("id") ON DELETE CASCADE ON UPDATE CASCADE;
