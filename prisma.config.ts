import { defineConfig } from 'prisma/config';

/** For `prisma migrate deploy` and the studio. Turnpike itself migrates with `turnpike migrate`. */
export default defineConfig({
  schema: 'prisma/schema.prisma',
  migrations: { path: 'prisma/migrations' },
  // oxlint-disable-next-line node/no-process-env -- a tool's configuration, not a program of ours
  datasource: { url: process.env['DATABASE_URL'] ?? '' },
});
