import express, { type Router } from 'express';
import type { Authenticate } from '../authenticate.ts';
import { serveSession, type ConsoleSettings } from './console-session.ts';
import { serveSite } from './console-site.ts';

/** The console at `/console`: its pages, and who is signed in. Its data comes from the routes of the API. */
export function serveConsole(authenticate: Authenticate, settings: ConsoleSettings): Router {
  const router = express.Router();
  router.use(serveSession(authenticate, settings), serveSite());
  return router;
}
