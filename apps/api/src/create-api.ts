import { ProblemError } from '@turnpike/contract';
import type { Dialect } from '@turnpike/dialect-base';
import { noTracing, type Logger, type Metrics, type Readiness, type Tracing } from '@turnpike/telemetry';
import { BudgetCheck, CapacityCache } from '@turnpike/turns';
import express, { type Express } from 'express';
import { sendProblem } from './send-problem.ts';
import { allowOrigins } from './allow-origins.ts';
import { createAuthenticate } from './authenticate.ts';
import { admitSession, type ConsoleSettings } from './console/console-session.ts';
import { serveConsole } from './console/serve-console.ts';
import type { BodyMemory } from './body-memory.ts';
import { checkHeaders } from './check-headers.ts';
import { serveUploads } from './files/serve-uploads.ts';
import { logRequests } from './log-requests.ts';
import { serveMcp } from './mcp/serve-mcp.ts';
import { mountRoutes } from './mount-routes.ts';
import { operationRoutes } from './operations.ts';
import { readQuery } from './parse-request.ts';
import { giveRequestId } from './request-id.ts';
import { RequestRates } from './request-rates.ts';
import type { Services } from './route.ts';
import { secureResponses } from './secure-responses.ts';
import { welcome } from './welcome.ts';
import { agentRoutes } from './routes/agents.ts';
import { apiKeyRoutes } from './routes/api-keys.ts';
import { batchRoutes } from './routes/batches.ts';
import { fileRoutes } from './routes/files.ts';
import { limitRoutes } from './routes/limits.ts';
import { moneyRoutes } from './routes/money.ts';
import { modelSettingsRoutes } from './routes/model-settings.ts';
import { eventRoutes } from './routes/events.ts';
import { auditRoutes } from './routes/audit.ts';
import { operatorRoutes } from './routes/operator.ts';
import { scheduleRoutes } from './routes/schedules.ts';
import { secretRoutes } from './routes/secrets.ts';
import { forkRoutes } from './routes/forks.ts';
import { sessionRoutes } from './routes/sessions.ts';
import { userRoutes } from './routes/users.ts';
import { mcpServerRoutes } from './routes/mcp-servers.ts';
import { toolRoutes } from './routes/tools.ts';
import { submitRoutes } from './routes/submit-turns.ts';
import { toolOutputRoutes } from './routes/tool-outputs.ts';
import { turnRoutes } from './routes/turns.ts';
import { deliveryRoutes } from './routes/deliveries.ts';
import type { TrustedProxies } from './trust-proxy.ts';
import { servePublicCards } from './dialects/serve-public-cards.ts';
import { routesOf } from './dialects/to-route.ts';
import { webhookEndpointRoutes } from './routes/webhook-endpoints.ts';

export interface ApiSettings {
  logger: Logger;
  metrics: Metrics;
  /** Default: nothing is traced. */
  tracing?: Tracing;
  maxBodyBytes: number;
  /** Bounds the bodies that are held at once. */
  bodies: BodyMemory;
  /** Origins whose pages may call it from a browser. Default: none. */
  corsOrigins?: readonly string[];
  readiness: Readiness;
  /** Whether the console is served at `/console`. Default: it is not. */
  console?: ConsoleSettings | null;
  /** Default: none. */
  dialects?: readonly Dialect[];
  /** How long a request of a dialect may wait for its turn to end. Milliseconds. */
  dialectWaitMs?: number;
  /** The share of successful requests that are logged. Default: 1. */
  loggedRequests?: number;
  /** Default: none, so a client's address is that of its connection. */
  trustProxy?: TrustedProxies;
}

/** All operations of the API's own, the most frequent first: a request is matched against one after another. */
export const routes = [
  ...submitRoutes,
  ...turnRoutes,
  ...toolOutputRoutes,
  ...eventRoutes,
  ...sessionRoutes,
  ...userRoutes,
  ...batchRoutes,
  ...scheduleRoutes,
  ...forkRoutes,
  ...agentRoutes,
  ...secretRoutes,
  ...modelSettingsRoutes,
  ...toolRoutes,
  ...mcpServerRoutes,
  ...fileRoutes,
  ...apiKeyRoutes,
  ...limitRoutes,
  ...moneyRoutes,
  ...webhookEndpointRoutes,
  ...deliveryRoutes,
  ...auditRoutes,
  ...operatorRoutes,
];

/** How long a request of a dialect may wait, where no setting says it: longer than the clients' own timeouts. */
const DIALECT_WAIT_MS = 600_000;

/** The API as an Express app. It listens on no port, and starts nothing. */
export function createApi(given: Omit<Services, 'capacity' | 'budgetCheck'>, settings: ApiSettings): Express {
  const services = { ...given, capacity: new CapacityCache(), budgetCheck: new BudgetCheck() };
  const app = express();
  app.disable('x-powered-by');
  app.set('etag', false);
  app.set('trust proxy', settings.trustProxy ?? false);
  app.set('query parser', readQuery);
  app.use(
    giveRequestId,
    logRequests(
      settings.logger,
      settings.metrics,
      settings.tracing ?? noTracing,
      settings.loggedRequests ?? 1,
    ),
    secureResponses,
    checkHeaders,
  );
  const { corsOrigins = [], dialects = [], dialectWaitMs = DIALECT_WAIT_MS } = settings;
  const prefixes = ['/v1', ...dialects.map(({ prefix }) => prefix)];
  if (corsOrigins.length > 0) app.use(prefixes, allowOrigins(corsOrigins));
  const all = [...routes, ...routesOf(dialects, dialectWaitMs)];
  // Loaded at its first request: a start does not need it.
  const describe = async (): Promise<object> => {
    const { describeRoutes } = await import('./openapi/describe-routes.ts');
    return describeRoutes(all, dialects);
  };
  const admission = {
    authenticate: createAuthenticate(services.database, services.keyUses),
    rates: new RequestRates((...request) => services.backplane.spendRequests(...request)),
    bodies: settings.bodies,
    maxBodyBytes: settings.maxBodyBytes,
  };
  const { console: consoleSettings = null } = settings;
  if (consoleSettings !== null) app.use(admitSession);
  app.use(
    mountRoutes(all, services, admission),
    servePublicCards(dialects),
    serveMcp(services, admission),
    serveUploads(services.files),
    ...(consoleSettings === null ? [] : [serveConsole(admission.authenticate, consoleSettings)]),
    welcome({ console: consoleSettings !== null }),
    operationRoutes({ describe, readiness: settings.readiness }),
  );
  app.use(() => {
    throw new ProblemError('not_found', 'There is nothing at this path.');
  });
  app.use(sendProblem(settings.logger, dialects));
  return app;
}
