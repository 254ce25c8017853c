# One image for every process: `node apps/api/dist/main.js`, `node apps/worker/dist/main.js`,
# `node apps/cli/dist/main.js migrate`.
FROM node:24.11.0-bookworm-slim AS build
WORKDIR /turnpike
COPY . .
RUN npm ci && npm run build && npm prune --omit=dev --omit=optional

FROM node:24.11.0-bookworm-slim
ENV NODE_ENV=production
WORKDIR /turnpike
COPY --from=build /turnpike/package.json ./
COPY --from=build /turnpike/node_modules node_modules
COPY --from=build /turnpike/packages packages
COPY --from=build /turnpike/apps apps
COPY --from=build /turnpike/prisma prisma
USER node
EXPOSE 3000
CMD ["node", "apps/api/dist/main.js"]
