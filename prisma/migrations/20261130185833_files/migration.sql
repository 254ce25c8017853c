-- Files of tenants, their bytes where Postgres stores them, and what is still to be erased.
CREATE TABLE "files" (
    "id" TEXT NOT NULL,
    "tenant_id" TEXT NOT NULL,
    "session_id" TEXT,
    "turn_id" TEXT,
    "shared" BOOLEAN NOT NULL DEFAULT false,
    "filename" TEXT NOT NULL,
    "media_type" TEXT NOT NULL,
    "bytes" BIGINT NOT NULL,
    "sha256" TEXT,
    "width" INTEGER,
    "height" INTEGER,
    "status" TEXT NOT NULL DEFAULT 'uploading',
    "refusal" TEXT,
    "metadata" JSONB NOT NULL DEFAULT '{}',
    "storage" TEXT NOT NULL,
    "upload_token" BYTEA,
    "upload_until" TIMESTAMPTZ(3) NOT NULL,
    "scan_at" TIMESTAMPTZ(3),
    "scans" INTEGER NOT NULL DEFAULT 0,
    "created_at" TIMESTAMPTZ(3) NOT NULL DEFAULT CURRENT_TIMESTAMP,
    "expires_at" TIMESTAMPTZ(3),

    CONSTRAINT "files_pkey" PRIMARY KEY ("id")
);

CREATE INDEX "files_tenant_id_id_idx" ON "files"("tenant_id", "id");
-- What is deleted with a session or a turn is found by these.
CREATE INDEX "files_session_id_idx" ON "files"("session_id") WHERE session_id IS NOT NULL;
CREATE INDEX "files_turn_id_idx" ON "files"("turn_id") WHERE turn_id IS NOT NULL;
-- What a pass looks for: few rows, whatever the number of files.
CREATE INDEX "files_uploading_idx" ON "files"("upload_until") WHERE status = 'uploading';
CREATE INDEX "files_pending_idx" ON "files"("scan_at") WHERE status = 'pending';
CREATE INDEX "files_expiring_idx" ON "files"("expires_at") WHERE expires_at IS NOT NULL;
ALTER TABLE "files" ADD CONSTRAINT "files_tenant_id_fkey"
    FOREIGN KEY ("tenant_id") REFERENCES "tenants"("id") ON DELETE CASCADE ON UPDATE CASCADE;
ALTER TABLE "files" ADD CONSTRAINT "files_session_id_fkey"
    FOREIGN KEY ("session_id") REFERENCES "sessions"("id") ON DELETE CASCADE ON UPDATE CASCADE;
ALTER TABLE "files" ADD CONSTRAINT "files_turn_id_fkey"
    FOREIGN KEY ("turn_id") REFERENCES "turns"("id") ON DELETE CASCADE ON UPDATE CASCADE;

-- Without a reference to files: to delete a file must not take as long as to delete its chunks.
CREATE TABLE "file_chunks" (
    "file_id" TEXT NOT NULL,
    "index" INTEGER NOT NULL,
    "data" BYTEA NOT NULL,

    CONSTRAINT "file_chunks_pkey" PRIMARY KEY ("file_id", "index")
);
-- Images and PDFs are compressed already.
ALTER TABLE "file_chunks" ALTER COLUMN "data" SET STORAGE EXTERNAL;

CREATE TABLE "erased_files" (
    "storage" TEXT NOT NULL,
    "key" TEXT NOT NULL,
    "erase_at" TIMESTAMPTZ(3) NOT NULL DEFAULT CURRENT_TIMESTAMP,

    CONSTRAINT "erased_files_pkey" PRIMARY KEY ("storage", "key")
);

CREATE INDEX "erased_files_erase_at_idx" ON "erased_files"("erase_at");

CREATE OR REPLACE FUNCTION turnpike_erase_file() RETURNS trigger
LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO erased_files (storage, key, erase_at)
    VALUES (OLD.storage, OLD.id,
            CASE WHEN OLD.storage <> 'postgres' AND OLD.status = 'uploading'
                 THEN greatest(now(), OLD.upload_until) ELSE now() END)
    ON CONFLICT DO NOTHING;
    IF OLD.storage <> 'postgres' AND OLD.status = 'uploading' THEN
        INSERT INTO erased_files (storage, key, erase_at)
        VALUES (OLD.storage, 'uploads/' || OLD.id, greatest(now(), OLD.upload_until))
        ON CONFLICT DO NOTHING;
    END IF;
    RETURN NULL;
END;
$$;

CREATE TRIGGER "files_erase" AFTER DELETE ON "files"
  FOR EACH ROW EXECUTE FUNCTION turnpike_erase_file();
