import { lazy, Suspense, type ReactElement, type ReactNode } from 'react';
import { Redirect, Route, Router, Switch, useLocation } from 'wouter';
import { Gate } from './session/gate.tsx';
import { Boundary } from './parts/boundary.tsx';
import { Shell } from './shell/shell.tsx';
import { Loading } from './parts/loading.tsx';

const Turns = lazy(() => import('./screens/turns/turns-screen.tsx'));
const Turn = lazy(() => import('./screens/turn/turn-screen.tsx'));
const Inbox = lazy(() => import('./screens/inbox/inbox-screen.tsx'));
const Sessions = lazy(() => import('./screens/sessions/sessions-screen.tsx'));
const Session = lazy(() => import('./screens/sessions/session-screen.tsx'));
const Playground = lazy(() => import('./screens/playground/playground-screen.tsx'));
const Agents = lazy(() => import('./screens/agents/agents-screen.tsx'));
const Agent = lazy(() => import('./screens/agents/agent-screen.tsx'));
const Tools = lazy(() => import('./screens/tools/tools-screen.tsx'));
const Webhooks = lazy(() => import('./screens/webhooks/webhooks-screen.tsx'));
const Delivery = lazy(() => import('./screens/webhooks/delivery-screen.tsx'));
const Usage = lazy(() => import('./screens/usage/usage-screen.tsx'));
const Batches = lazy(() => import('./screens/batches/batches-screen.tsx'));
const Schedules = lazy(() => import('./screens/schedules/schedules-screen.tsx'));
const Schedule = lazy(() => import('./screens/schedules/schedule-screen.tsx'));
const Workers = lazy(() => import('./screens/workers/workers-screen.tsx'));
const Tenants = lazy(() => import('./screens/tenants/tenants-screen.tsx'));
const Settings = lazy(() => import('./screens/settings/settings-screen.tsx'));

export function App({ keyOfLink }: { keyOfLink: string | null }): ReactElement {
  return (
    <Gate keyOfLink={keyOfLink}>
      {(signOut) => (
        <Router base="/console">
          <Shell onSignOut={signOut}>
            <Screen>
              <Suspense fallback={<Loading />}>
                <Switch>
                  <Route path="/turns" component={Turns} />
                  <Route path="/turns/:id">{({ id }) => <Turn key={id} id={id} />}</Route>
                  <Route path="/inbox" component={Inbox} />
                  <Route path="/sessions" component={Sessions} />
                  <Route path="/sessions/:id">{({ id }) => <Session key={id} id={id} />}</Route>
                  <Route path="/playground" component={Playground} />
                  <Route path="/agents" component={Agents} />
                  <Route path="/agents/:id">{({ id }) => <Agent key={id} id={id} />}</Route>
                  <Route path="/tools" component={Tools} />
                  <Route path="/webhooks" component={Webhooks} />
                  <Route path="/deliveries/:id">{({ id }) => <Delivery key={id} id={id} />}</Route>
                  <Route path="/usage" component={Usage} />
                  <Route path="/batches" component={Batches} />
                  <Route path="/schedules" component={Schedules} />
                  <Route path="/schedules/:id">{({ id }) => <Schedule key={id} id={id} />}</Route>
                  <Route path="/settings" component={Settings} />
                  <Route path="/workers" component={Workers} />
                  <Route path="/tenants" component={Tenants} />
                  <Route>
                    <Redirect to="/turns" replace />
                  </Route>
                </Switch>
              </Suspense>
            </Screen>
          </Shell>
        </Router>
      )}
    </Gate>
  );
}

/** Another screen is not kept away by one that failed. */
function Screen({ children }: { children: ReactNode }): ReactElement {
  const [path] = useLocation();
  return <Boundary key={path}>{children}</Boundary>;
}
