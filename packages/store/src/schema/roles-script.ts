import pg from 'pg';

/** Owns the schema, and is used by `turnpike migrate` alone. */
const MIGRATES = 'turnpike_migrate';
/** The roles of the programs. They may not change the schema. */
const SERVES = ['turnpike_api', 'turnpike_worker'] as const;

/**
 * SQL that makes the roles of an installation in this schema and gives each what it needs, and no more. It may be run
 * again, and must be after a migration: that a worker may not read keys, and nobody may change the audit log, is said of
 * tables that are there. Run it as a role that may make roles and owns the tables that are there. It sets no password.
 */
export function rolesScript(schema: string): string {
  const quoted = pg.escapeIdentifier(schema);
  const serving = SERVES.join(', ');
  return `-- Roles of Turnpike in the schema ${quoted}.
DO $roles$
DECLARE
    role text;
    item record;
BEGIN
    FOREACH role IN ARRAY ARRAY['${[MIGRATES, ...SERVES].join("', '")}'] LOOP
        IF NOT EXISTS (SELECT 1 FROM pg_roles WHERE rolname = role) THEN
            EXECUTE format('CREATE ROLE %I LOGIN', role);
        END IF;
        EXECUTE format('GRANT CONNECT ON DATABASE %I TO %I', current_database(), role);
    END LOOP;
    EXECUTE format('GRANT ${MIGRATES} TO %I', current_user);
    CREATE SCHEMA IF NOT EXISTS ${quoted};
    ALTER SCHEMA ${quoted} OWNER TO ${MIGRATES};
    -- What another role made before.
    FOR item IN
        SELECT format('ALTER TABLE %I.%I OWNER TO ${MIGRATES}', nspname, relname) AS command
        FROM pg_class JOIN pg_namespace ON pg_namespace.oid = relnamespace
        WHERE nspname = ${pg.escapeLiteral(schema)} AND relkind IN ('r', 'p', 'v') AND pg_get_userbyid(relowner) <> '${MIGRATES}'
        UNION ALL
        SELECT format('ALTER FUNCTION %s OWNER TO ${MIGRATES}', pg_proc.oid::regprocedure)
        FROM pg_proc JOIN pg_namespace ON pg_namespace.oid = pronamespace
        WHERE nspname = ${pg.escapeLiteral(schema)} AND pg_get_userbyid(proowner) <> '${MIGRATES}'
    LOOP
        EXECUTE item.command;
    END LOOP;
END
$roles$;

REVOKE ALL ON SCHEMA ${quoted} FROM PUBLIC;
GRANT USAGE ON SCHEMA ${quoted} TO ${serving};
GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA ${quoted} TO ${serving};
ALTER DEFAULT PRIVILEGES FOR ROLE ${MIGRATES} IN SCHEMA ${quoted}
    GRANT SELECT, INSERT, UPDATE, DELETE ON TABLES TO ${serving};

-- Of some tables they need less.
DO $less$
BEGIN
    IF to_regclass('${quoted}._prisma_migrations') IS NULL THEN
        RAISE NOTICE 'Run turnpike migrate as ${MIGRATES}, and then this again.';
        RETURN;
    END IF;
    REVOKE INSERT, UPDATE, DELETE ON ${quoted}._prisma_migrations FROM ${serving};
    REVOKE UPDATE ON ${quoted}.audit_entries FROM ${serving};
    REVOKE ALL ON ${quoted}.api_keys FROM ${SERVES[1]};
END
$less$;
`;
}
