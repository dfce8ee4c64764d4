/** The last leg that can be seen: how the client becomes known, and whether its authorization request gets to a sign-in. */
import type { Exchange, Facts, RegistrationFacts } from '../facts.ts';
import { answersOf, isOn, resultOf, resultWords, works } from '../rules/authorize-result.ts';
import { failureWords, type KnownServer, list, told, words } from '../rules/observe.ts';
import type { Found } from './discovery.ts';
import { fails, type Hindrance, type Leg, type Persona, partly, unknown } from './persona.ts';

export function* signIn(facts: Facts, found: Found, persona: Persona): Leg<never> {
  const { server } = found;
  yield* becomesKnown(facts, found, persona);
  const { authorize, metadata } = server;
  if (authorize && !comesOn(authorize.asClientsDo, authorize.redirectUri)) {
    const said = resultWords(authorize.asClientsDo, authorize.redirectUri);
    yield notOn(found, `The browser it opens does not get to a sign-in: ${said}`);
    return undefined;
  }
  if (authorize && persona.checksIss === true) {
    const announced = metadata.authorization_response_iss_parameter_supported === true;
    const wrong = answersOf(authorize).some((answer) =>
      answer.has('iss') ? answer.get('iss') !== metadata.issuer : announced,
    );
    if (wrong) {
      yield unknown(
        'sign-in',
        'It refuses an answer whose iss is not the issuer, or lacks it where it is announced; so it is with the errors that were seen, the answer to a sign-in was not.',
      );
    }
  }
  const slowest = Math.max(0, server.token?.unknownClient.ms ?? 0, server.token?.wrongCode?.ms ?? 0);
  if (persona.tokenSeconds !== undefined && slowest >= persona.tokenSeconds * 1000) {
    const took = (slowest / 1000).toFixed(1);
    yield fails('token', `It waits ${persona.tokenSeconds} s for the token endpoint, which took ${took} s.`);
  }
  return undefined;
}

/** A code that nobody was asked for is a fault of the server's, and a client goes on with it. */
function comesOn(exchange: Exchange, redirectUri: string): boolean {
  return isOn(exchange, redirectUri) || resultOf(exchange, redirectUri) === 'code';
}

/** The request that was tried had a resource. Without metadata of the resource a client sends none. */
function notOn({ withResource }: Found, reason: string): Hindrance {
  return withResource
    ? fails('sign-in', `${reason}.`)
    : unknown('sign-in', `${reason}; that was tried with a resource, which it leaves out here.`);
}

function* becomesKnown(facts: Facts, found: Found, persona: Persona): Leg<never> {
  const { document, registration, perhapsDocument } = persona.identity;
  const { server } = found;
  const { metadata } = server;
  const announced = metadata.client_id_metadata_document_supported === true;
  const methods = words(metadata.token_endpoint_auth_methods_supported);
  const allowed = document?.onlyWith === undefined || document.onlyWith.some((one) => methods.includes(one));
  if (document && announced && allowed) return yield* byDocument(found, document);
  const registers = metadata.registration_endpoint !== undefined;
  if (registration && registers) return yield* byRegistration(facts, server, persona, registration);
  if (perhapsDocument && announced) {
    yield partly(
      'registration',
      'Only applications that bring a metadata document of their own connect; the others register, and the authorization server offers no registration.',
    );
    return undefined;
  }
  const passed = document && announced ? `uses its document beside ${list(document.onlyWith ?? [])} only` : undefined;
  const lacking = document && !passed ? 'neither metadata documents nor registration' : 'no registration';
  yield fails(
    'registration',
    `It ${passed ? `${passed}, and the server lists ${list(methods) || 'nothing'}; registers otherwise` : 'has to make itself known'}, and the authorization server offers ${lacking}.`,
  );
  return undefined;
}

function* byDocument(found: Found, document: NonNullable<Persona['identity']['document']>): Leg<never> {
  const { documentClients, metadata } = found.server;
  if (document.otherWithoutIss && metadata.authorization_response_iss_parameter_supported !== true) {
    yield unknown(
      'registration',
      'Where iss is not announced it uses a document of each connector’s own, which cannot be tried from here.',
    );
    return undefined;
  }
  const tried = documentClients.find(({ client }) => client === document.probe);
  if (!tried) {
    yield unknown('registration', `It uses its document ${document.url}; whether the server takes that was not tried.`);
  } else if (!comesOn(tried.exchange, tried.redirectUri)) {
    const said = resultWords(tried.exchange, tried.redirectUri);
    yield notOn(found, `It uses its document ${document.url}, since they are announced, and gets ${said}`);
  }
  return undefined;
}

const kinds: Readonly<Record<RegistrationFacts['purpose'], string>> = {
  native: 'with redirect URIs on this computer',
  cursor: 'with three redirect URIs, one of them at cursor://',
  hosted: 'with a redirect URI at its vendor’s',
};

function* byRegistration(
  { examined }: Facts,
  { registrations, authorize }: KnownServer,
  persona: Persona,
  { like, own }: NonNullable<Persona['identity']['registration']>,
): Leg<never> {
  if (!examined.register) {
    yield unknown('registration', 'It registers, which was not tried (--no-register).');
    return undefined;
  }
  const tried = registrations.find(({ purpose }) => purpose === like);
  if (!tried) {
    yield unknown('registration', 'It registers, which was not tried: the registration endpoint is no URL.');
    return undefined;
  }
  const { exchange, clientId, sent } = tried;
  const { answer } = exchange;
  if (answer?.status === 429) {
    yield unknown('registration', 'It registers, and the server refused that for its frequency (429).');
  } else if (clientId === undefined) {
    const said = answer ? told(exchange) : failureWords(exchange);
    const reason = `It registers ${kinds[like]}, and the server answers ${said}`;
    // Another vendor's address says little about this one's, where there may be a list.
    if (own || like === 'native') yield fails('registration', `${reason}.`);
    else yield unknown('registration', `${reason} where another vendor’s was tried.`);
    return undefined;
  } else {
    const echoed = words((answer?.json as { readonly redirect_uris?: unknown } | undefined)?.redirect_uris);
    if (persona.library === 'fetch' && !sent.redirect_uris.every((uri) => echoed.includes(uri))) {
      yield fails(
        'registration',
        `It wants its redirect URIs back from the registration, and gets ${list(echoed) || 'none'}.`,
      );
      return undefined;
    }
  }
  const host = persona.freePortOn;
  const refused = authorize?.otherPorts.find(
    ({ redirectUri, exchange: port }) => new URL(redirectUri).hostname === host && !isOn(port, redirectUri),
  );
  if (host !== undefined && authorize && works(authorize) && refused) {
    yield partly(
      'sign-in',
      `It connects once; it takes any free port on ${host}, and the server insists on the one that was registered, so a later sign-in may fail.`,
    );
  }
  return undefined;
}
