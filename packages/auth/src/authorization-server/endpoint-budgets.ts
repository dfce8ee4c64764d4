/**
 * Which endpoint has which budget, and why as much (SEC-10). Everything is of one process: two have twice as much.
 *
 * Nobody is counted by address: claude.ai and others send all their people's requests from a few. And nobody is counted
 * under a name that others can use: a budget for failures under a client's id alone would let anybody who knows the id,
 * which is public, shut the client out by failing in its name. So a failure is counted under the whole request: a
 * program that repeats its mistake meets its own budget, and nobody else's.
 */

import type { HttpRequest } from '../oauth/http.ts';
import type { BrowserCookie } from './browser.ts';
import { type Allowance, allowanceFault, type EndpointBudget, type Outcome, openPurse } from './budget.ts';
import { digest } from './credential.ts';

/** The endpoints that anybody can make do work: those of machines, and those of people. */
export const budgetedEndpoints = [
  'authorize',
  'consent',
  'connectionsChange',
  'token',
  'register',
  'revoke',
  'introspect',
] as const;

export type BudgetedEndpoint = (typeof budgetedEndpoints)[number];

export interface BudgetSettings {
  /** Of this process. */
  readonly total: Allowance;
  /** Of each client, browser or repeated request: see `defaultBudgets`. */
  readonly perKey?: Allowance;
}

/** What is left out keeps its default; `false`: no budget. */
export type Budgets = Partial<Record<BudgetedEndpoint, Partial<BudgetSettings> | false>>;

/**
 * Work that stores nothing. A request of these endpoints takes less than half a millisecond of a core (one signature or
 * MAC and at most one read), so 1,000 a second leave half of it to the others. Sixty million a day is nobody's honest
 * traffic; what is above that would have taken everybody's answers anyway.
 */
const computing: Allowance = { burst: 10_000, perMinute: 60_000 };

/**
 * Work that stores a record: 100 a second are more than eight million sign-ins a day, and a flood has to keep it up to be
 * felt. A consent is 1 KB for at most 40 minutes, so at most 252,000 records (12,000 and 40 times 6,000), 250 MB; a sign-in
 * to the person's own page is 0.3 KB for 10 minutes, 22 MB.
 */
const storing: Allowance = { burst: 12_000, perMinute: 6000 };

/** One browser: a person decides a few times a minute, and presses a button twice. */
const oneBrowser: Allowance = { burst: 60, perMinute: 20 };

/** One request again and again, and wrong each time: 31 parallel refreshes of one token are more than any client makes. */
const oneMistake: Allowance = { burst: 30, perMinute: 10 };

export const defaultBudgets: Readonly<Record<BudgetedEndpoint, BudgetSettings>> = {
  // Not per client: whoever knows the id of one, which is public, could use up what is its people's.
  authorize: { total: computing },
  consent: { total: storing, perKey: oneBrowser },
  connectionsChange: { total: storing, perKey: oneBrowser },
  token: { total: computing, perKey: oneMistake },
  register: { total: computing },
  revoke: { total: computing },
  introspect: { total: computing, perKey: oneMistake },
};

export interface EndpointBudgetsOptions {
  readonly budgets?: Budgets;
  readonly browserCookie: Pick<BrowserCookie, 'sent'>;
  readonly now: () => number;
}

export type EndpointBudgets = Readonly<Record<BudgetedEndpoint, EndpointBudget | undefined>>;

export function endpointBudgets({ budgets = {}, browserCookie, now }: EndpointBudgetsOptions): EndpointBudgets {
  // The first that was sent; a browser that is new has none, and only the total counts it.
  const browserOf = (request: HttpRequest): string | undefined => [...browserCookie.sent(request)][0];
  const of = (
    name: BudgetedEndpoint,
    counts: (outcome: Outcome) => boolean,
    keyOf?: (request: HttpRequest) => string | undefined,
    concerns?: (request: HttpRequest) => boolean,
  ): EndpointBudget | undefined => {
    const changes = budgets[name];
    if (changes === false) return undefined;
    const purse = openPurse({ ...defaultBudgets[name], ...changes, now });
    return { name, purse, counts, ...(keyOf && { keyOf }), ...(concerns && { concerns }) };
  };
  return {
    authorize: of('authorize', always, clientOf),
    // A form that is not ours, or of another browser, has stored nothing: garbage must not use up what people need.
    consent: of('consent', wentOn, browserOf),
    connectionsChange: of('connectionsChange', succeeded, browserOf, beginsSignIn),
    token: of('token', failed, requestDigest),
    register: of('register', always),
    revoke: of('revoke', always),
    introspect: of('introspect', failed, requestDigest),
  };
}

/** Everything wrong with the settings, each with its path; empty: they can be used. */
export function budgetFaults(budgets: Budgets): readonly string[] {
  return Object.entries(budgets).flatMap(([name, settings]) => {
    if (!budgetedEndpoints.some((one) => one === name)) return [`budgets.${name}: is no endpoint with a budget`];
    return Object.entries(settings || {}).flatMap(([part, allowance]) =>
      allowance !== undefined && allowanceFault(allowance)
        ? [`budgets.${name}.${part}: needs a burst of at least 1 and some a minute`]
        : [],
    );
  });
}

function always(): boolean {
  return true;
}

/** A page or a redirect, and not one that says that nobody is signed in. */
function succeeded({ status, refused }: Outcome): boolean {
  return !refused && status < 400;
}

/** What anybody may do, and stores. Whoever is signed in takes back what they allowed, however many others sign in. */
function beginsSignIn({ body }: HttpRequest): boolean {
  return new URLSearchParams(Buffer.from(body).toString('latin1')).get('action') === 'sign-in';
}

/** To the identity provider: back to the client it goes with an error here, and then nothing was stored. */
function wentOn({ refused, location }: Outcome): boolean {
  return !refused && location !== undefined && !/[?&]error=/.test(location);
}

/** The caller's fault and not ours: who meets a database that is away is told to come again, and may. */
function failed({ status }: Outcome): boolean {
  return status >= 400 && status < 500;
}

/** As the request has it, known or not: whatever else is wrong with it is the endpoint's to say. */
function clientOf({ query }: HttpRequest): string | undefined {
  const clientId = query.length > 64 * 1024 ? null : new URLSearchParams(query).get('client_id');
  return clientId ? digest(clientId) : undefined;
}

function requestDigest({ headers, body }: HttpRequest): string {
  // A line break cannot stand in a header: no two requests have one text.
  return digest(`${headers.authorization ?? ''}\n${Buffer.from(body).toString('latin1')}`);
}
