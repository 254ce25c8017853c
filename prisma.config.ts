import { defineConfig } from 'prisma/config';

/** For `prisma migrate deploy` and the studio. Turnpike itself migrates with `turnpike migrate`. */
export default defineConfig({
  schema: 'prisma/schema.prisma',
  migrations: { path: 'prisma/migrations' },
  datasource: { url: process.env['DATABASE_URL'] ?? '' },
});
