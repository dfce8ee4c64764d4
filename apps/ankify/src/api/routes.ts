/** All routes of the API, in the order of the document. */
import { aboutRoutes } from './about-routes.ts';
import { cardRoutes } from './card-routes.ts';
import { deckRoutes } from './deck-routes.ts';
import { jobRoutes } from './job-routes.ts';
import { openApiDocument } from './open-api.ts';
import type { Route } from './route.ts';
import type { Services } from './services.ts';
import { speechRoutes } from './speech-routes.ts';
import { textRoutes } from './text-routes.ts';

/** `url`: where the API is reached, without a trailing slash. */
export function apiRoutes(services: Services, url: string): readonly Route[] {
  let document: unknown;
  const routes: readonly Route[] = [
    ...aboutRoutes(services, () => (document ??= openApiDocument(routes, { url }))),
    ...deckRoutes(services),
    ...cardRoutes(services),
    ...speechRoutes(services),
    ...textRoutes(services),
    ...jobRoutes(services),
  ];
  return routes;
}
