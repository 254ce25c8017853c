-- The end user of a session, and their erasure, which the reconciler carries out.
ALTER TABLE "sessions" ADD COLUMN "user_id" TEXT;

CREATE TABLE "user_erasures" (
    "id" TEXT NOT NULL,
    "tenant_id" TEXT NOT NULL,
    "user_id" TEXT,
    "user_hash" TEXT NOT NULL,
    "key_id" TEXT NOT NULL,
    "erased_sessions" INTEGER NOT NULL DEFAULT 0,
    "created_at" TIMESTAMPTZ(3) NOT NULL DEFAULT CURRENT_TIMESTAMP,
    "completed_at" TIMESTAMPTZ(3),

    CONSTRAINT "user_erasures_pkey" PRIMARY KEY ("id"),
    CONSTRAINT "user_erasures_tenant_id_fkey" FOREIGN KEY ("tenant_id") REFERENCES "tenants"("id") ON DELETE CASCADE ON UPDATE CASCADE
);

CREATE INDEX "user_erasures_tenant_id_id_idx" ON "user_erasures"("tenant_id", "id");
-- The id of a user is there until they are erased, and for one erasure at a time.
CREATE UNIQUE INDEX "user_erasures_pending" ON "user_erasures"("tenant_id", "user_id") WHERE "completed_at" IS NULL;
CREATE INDEX "user_erasures_open" ON "user_erasures"("id") WHERE "completed_at" IS NULL;
