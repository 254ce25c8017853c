-- The metadata of turns and sessions, one row for each entry, so that a list that is narrowed by one reads just
-- that, newest first. A row that has no metadata costs nothing here.

-- CreateTable
CREATE TABLE "turn_labels" (
    "turn_id" TEXT NOT NULL,
    "key" TEXT NOT NULL,
    "tenant_id" TEXT NOT NULL,
    "value" TEXT NOT NULL,

    CONSTRAINT "turn_labels_pkey" PRIMARY KEY ("turn_id","key")
);

-- CreateTable
CREATE TABLE "session_labels" (
    "session_id" TEXT NOT NULL,
    "key" TEXT NOT NULL,
    "tenant_id" TEXT NOT NULL,
    "value" TEXT NOT NULL,

    CONSTRAINT "session_labels_pkey" PRIMARY KEY ("session_id","key")
);

-- CreateIndex
CREATE INDEX "turn_labels_tenant_id_key_value_turn_id_idx" ON "turn_labels"("tenant_id", "key", "value", "turn_id");

-- CreateIndex
CREATE INDEX "session_labels_tenant_id_key_value_session_id_idx" ON "session_labels"("tenant_id", "key", "value", "session_id");

-- AddForeignKey
ALTER TABLE "turn_labels" ADD CONSTRAINT "turn_labels_turn_id_fkey" FOREIGN KEY ("turn_id") REFERENCES "turns"("id") ON DELETE CASCADE ON UPDATE CASCADE;

-- AddForeignKey
ALTER TABLE "session_labels" ADD CONSTRAINT "session_labels_session_id_fkey" FOREIGN KEY ("session_id") REFERENCES "sessions"("id") ON DELETE CASCADE ON UPDATE CASCADE;

-- Invariant: the labels of a row are the entries of its metadata, whoever writes it. A turn's never change.
CREATE FUNCTION "turnpike_label_turn"() RETURNS trigger
LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO turn_labels (turn_id, key, tenant_id, value)
    SELECT NEW.id, label.key, NEW.tenant_id, label.value FROM jsonb_each_text(NEW.metadata) AS label;
    RETURN NULL;
END;
$$;

CREATE FUNCTION "turnpike_label_session"() RETURNS trigger
LANGUAGE plpgsql AS $$
BEGIN
    IF TG_OP = 'UPDATE' THEN DELETE FROM session_labels WHERE session_id = NEW.id; END IF;
    INSERT INTO session_labels (session_id, key, tenant_id, value)
    SELECT NEW.id, label.key, NEW.tenant_id, label.value FROM jsonb_each_text(NEW.metadata) AS label;
    RETURN NULL;
END;
$$;

CREATE TRIGGER "turns_labels" AFTER INSERT ON "turns"
FOR EACH ROW WHEN (NEW.metadata <> '{}') EXECUTE FUNCTION "turnpike_label_turn"();

CREATE TRIGGER "sessions_labels" AFTER INSERT ON "sessions"
FOR EACH ROW WHEN (NEW.metadata <> '{}') EXECUTE FUNCTION "turnpike_label_session"();

CREATE TRIGGER "sessions_labels_changed" AFTER UPDATE OF "metadata" ON "sessions"
FOR EACH ROW WHEN (NEW.metadata <> OLD.metadata) EXECUTE FUNCTION "turnpike_label_session"();

INSERT INTO "turn_labels" ("turn_id", "key", "tenant_id", "value")
SELECT turns.id, label.key, turns.tenant_id, label.value
FROM turns, jsonb_each_text(turns.metadata) AS label WHERE turns.metadata <> '{}';

INSERT INTO "session_labels" ("session_id", "key", "tenant_id", "value")
SELECT sessions.id, label.key, sessions.tenant_id, label.value
FROM sessions, jsonb_each_text(sessions.metadata) AS label WHERE sessions.metadata <> '{}';
