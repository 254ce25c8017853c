-- Turns that are submitted at times: the schedules, and what became of each tick.
CREATE TABLE "schedules" (
    "id" TEXT NOT NULL,
    "tenant_id" TEXT NOT NULL,
    "status" TEXT NOT NULL DEFAULT 'active',
    "name" TEXT,
    "timing" JSONB NOT NULL,
    "turn" JSONB NOT NULL,
    "session" TEXT NOT NULL,
    "session_id" TEXT,
    "owns_session" BOOLEAN NOT NULL DEFAULT true,
    "overlap" TEXT NOT NULL,
    "catch_up" TEXT NOT NULL,
    "catch_up_seconds" INTEGER NOT NULL,
    "jitter_seconds" INTEGER NOT NULL,
    "starts_at" TIMESTAMPTZ(3),
    "ends_at" TIMESTAMPTZ(3),
    "metadata" JSONB NOT NULL DEFAULT '{}',
    "next_tick_at" TIMESTAMPTZ(3),
    "next_due_at" TIMESTAMPTZ(3),
    "last_tick_at" TIMESTAMPTZ(3),
    "created_at" TIMESTAMPTZ(3) NOT NULL DEFAULT CURRENT_TIMESTAMP,
    "updated_at" TIMESTAMPTZ(3) NOT NULL DEFAULT CURRENT_TIMESTAMP,

    CONSTRAINT "schedules_pkey" PRIMARY KEY ("id")
);

CREATE INDEX "schedules_tenant_id_id_idx" ON "schedules"("tenant_id", "id");
-- What a pass looks for.
CREATE INDEX "schedules_due_idx" ON "schedules"("next_due_at") WHERE status = 'active';
CREATE INDEX "schedules_removed_idx" ON "schedules"("id") WHERE status = 'deleting';
ALTER TABLE "schedules" ADD CONSTRAINT "schedules_tenant_id_fkey"
    FOREIGN KEY ("tenant_id") REFERENCES "tenants"("id") ON DELETE CASCADE ON UPDATE CASCADE;

CREATE TABLE "schedule_runs" (
    "id" TEXT NOT NULL,
    "tenant_id" TEXT NOT NULL,
    "schedule_id" TEXT NOT NULL,
    "tick_at" TIMESTAMPTZ(3) NOT NULL,
    "until" TIMESTAMPTZ(3),
    "ticks" INTEGER NOT NULL DEFAULT 1,
    "due_at" TIMESTAMPTZ(3) NOT NULL,
    "status" TEXT NOT NULL,
    "turn_id" TEXT,
    "is_open" BOOLEAN NOT NULL DEFAULT false,
    "error" JSONB,
    "created_at" TIMESTAMPTZ(3) NOT NULL DEFAULT CURRENT_TIMESTAMP,

    CONSTRAINT "schedule_runs_pkey" PRIMARY KEY ("id")
);

-- A tick has one run.
CREATE UNIQUE INDEX "schedule_runs_schedule_id_tick_at_key" ON "schedule_runs"("schedule_id", "tick_at");
CREATE INDEX "schedule_runs_tenant_id_schedule_id_id_idx" ON "schedule_runs"("tenant_id", "schedule_id", "id");
CREATE INDEX "schedule_runs_open_idx" ON "schedule_runs"("schedule_id", "tick_at") WHERE is_open;
ALTER TABLE "schedule_runs" ADD CONSTRAINT "schedule_runs_schedule_id_fkey"
    FOREIGN KEY ("schedule_id") REFERENCES "schedules"("id") ON DELETE CASCADE ON UPDATE CASCADE;
