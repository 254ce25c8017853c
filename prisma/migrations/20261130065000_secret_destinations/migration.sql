-- Where a secret may be sent. Those that are keys of the model today are marked, so that no tool sends them.
ALTER TABLE "secrets" ADD COLUMN "allowed_hosts" TEXT[] DEFAULT ARRAY[]::TEXT[],
ADD COLUMN "is_model_key" BOOLEAN NOT NULL DEFAULT false;

UPDATE "secrets" SET "is_model_key" = true
FROM (
  SELECT tenant_id, unnest(keys) AS name FROM model_settings
  UNION
  SELECT agents.tenant_id, key.name
  FROM agents
  JOIN agent_versions ON agent_versions.agent_id = agents.id AND agent_versions.version = agents.version
  CROSS JOIN jsonb_array_elements_text(agent_versions.config -> 'model_keys') AS key(name)
  WHERE agents.deleted_at IS NULL AND agent_versions.config ? 'model_keys'
) AS named
WHERE secrets.tenant_id = named.tenant_id AND secrets.name = named.name;
