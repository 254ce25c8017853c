-- MCP servers of tenants, the lists of tools that they gave, and which list a turn began with.
CREATE TABLE "mcp_servers" (
    "id" TEXT NOT NULL,
    "tenant_id" TEXT NOT NULL,
    "name" TEXT NOT NULL,
    "config" JSONB NOT NULL,
    "tools_hash" TEXT,
    "tools_listed_at" TIMESTAMPTZ(3),
    "last_change" JSONB,
    "accepted" JSONB,
    "refused_tools" JSONB NOT NULL DEFAULT '[]',
    "created_at" TIMESTAMPTZ(3) NOT NULL DEFAULT CURRENT_TIMESTAMP,
    "updated_at" TIMESTAMPTZ(3) NOT NULL DEFAULT CURRENT_TIMESTAMP,

    CONSTRAINT "mcp_servers_pkey" PRIMARY KEY ("id")
);

CREATE UNIQUE INDEX "mcp_servers_tenant_id_name_key" ON "mcp_servers"("tenant_id", "name");
CREATE INDEX "mcp_servers_tenant_id_id_idx" ON "mcp_servers"("tenant_id", "id");
ALTER TABLE "mcp_servers" ADD CONSTRAINT "mcp_servers_tenant_id_fkey"
    FOREIGN KEY ("tenant_id") REFERENCES "tenants"("id") ON DELETE CASCADE ON UPDATE CASCADE;

-- Addressed by their content, so that a list that did not change is stored once.
CREATE TABLE "mcp_tool_lists" (
    "tenant_id" TEXT NOT NULL,
    "hash" TEXT NOT NULL,
    "tools" JSONB NOT NULL,
    "used_at" TIMESTAMPTZ(3) NOT NULL DEFAULT CURRENT_TIMESTAMP,

    CONSTRAINT "mcp_tool_lists_pkey" PRIMARY KEY ("tenant_id", "hash")
);

ALTER TABLE "mcp_tool_lists" ADD CONSTRAINT "mcp_tool_lists_tenant_id_fkey"
    FOREIGN KEY ("tenant_id") REFERENCES "tenants"("id") ON DELETE CASCADE ON UPDATE CASCADE;

CREATE TABLE "turn_mcp_lists" (
    "turn_id" TEXT NOT NULL,
    "server" TEXT NOT NULL,
    "tenant_id" TEXT NOT NULL,
    "hash" TEXT NOT NULL,
    "refused_tools" JSONB NOT NULL DEFAULT '[]',

    CONSTRAINT "turn_mcp_lists_pkey" PRIMARY KEY ("turn_id", "server")
);

CREATE INDEX "turn_mcp_lists_tenant_id_hash_idx" ON "turn_mcp_lists"("tenant_id", "hash");
ALTER TABLE "turn_mcp_lists" ADD CONSTRAINT "turn_mcp_lists_turn_id_fkey"
    FOREIGN KEY ("turn_id") REFERENCES "turns"("id") ON DELETE CASCADE ON UPDATE CASCADE;
