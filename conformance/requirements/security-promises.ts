/** What we promise on top of any specification: security (SEC-01 to SEC-19). */
import { promise, type Requirement } from './requirement.ts';
import * as of from './test-files.ts';

export const securityPromises: readonly Requirement[] = [
  promise('SEC-01', 'Whatever is for one use is used once: on every database, in every instance, in any race.', {
    tests: [
      of.recordsContract('of 50 parallel takes one receives the value'),
      of.recordsProcesses('of parallel takes by three processes one receives the value'),
      of.redemptions('on %s'),
      of.historiesFaults('on %s'),
      of.historiesChecker('a wrong history'),
      of.simulator('in every order: small scenes with faults at every place, and then by chance'),
      of.token('of eight parallel redemptions on two instances one succeeds'),
      of.callback('of fifty parallel callbacks one succeeds'),
      of.connections('works once, however many come at the same time'),
      of.clientAssertion('of fifty at once on two instances, in one SQLite file'),
      of.jwtBearer('of fifty at once on two instances, in one SQLite file'),
      of.races('a code'),
      of.identitySessionRaces('of fifty refreshes at once on two instances one asks'),
    ],
  }),
  promise('SEC-02', 'A credential works in its own hands alone, and somebody else’s attempt with it hurts nobody.', {
    tests: [
      of.grantProperties('a credential in the wrong hands or with the wrong proof changes nothing'),
      of.grant('a wrong request is told by what is wrong first: hands, then grant, then target, then proof'),
      of.token('a code in the wrong hands or with the wrong proof is refused, and the right ones succeed afterwards'),
      of.refresh('a hundred forged tokens write nothing and end nothing'),
      of.revoke('%s of another client is refused'),
    ],
  }),
  promise('SEC-03', 'No redirect leaves for a URI that is not the registered one.', {
    tests: [
      of.authorize('until client and redirect URI are known good, a page and no redirect'),
      of.redirectUri('which presented URI is a registered one'),
      of.redirectUriProperties('what matches goes to the very host that was registered'),
      of.redirectUriProperties('what is accepted parses, whatever its scheme'),
      of.closedRegistration('a list of redirect hosts'),
      of.redirectHosts('the list'),
    ],
  }),
  promise('SEC-04', 'No code without a person’s consent to this client, host, resource and scope, in this browser.', {
    tests: [
      of.consent('refused with a page, and nothing happens'),
      of.consent('in another browser, that has a cookie of its own'),
      of.callback('another browser changes nothing, and the honest one succeeds afterwards'),
      of.connections('nobody else’s hand'),
      of.chromium('a consent form is worth nothing in another browser'),
      of.chromium('cannot answer for the person'),
      of.rememberedConsent('another person in the same browser'),
      of.rememberedConsentProperties(
        'no page is skipped without a tick for that client and resource, in that browser, by the person who comes back',
      ),
    ],
  }),
  promise(
    'SEC-05',
    'Consent to one client is no consent to another, though we are one client to the identity provider.',
    {
      tests: [
        of.consent('the form names the client, so the code is the client’s that was shown'),
        of.authorize('nothing is stored before consent'),
      ],
    },
  ),
  promise(
    'SEC-06',
    'A token is good if we signed it, for this issuer and resource, as an access token, in time, with a live grant.',
    {
      tests: [
        of.guard('refused: 401'),
        of.ownWrongTokens('a wrong token'),
        of.ownWrongTokens(
          'is refused when its grant is revoked, at once where it was revoked and though it was remembered',
        ),
        of.guard('what is no token of ours costs no look at a key'),
        of.guard('HS256 with the public key as secret, in every form that key has'),
        of.jwsAlgorithms('a signature has one spelling'),
        of.jws('every flipped bit is refused'),
        of.compactJws('names that stand twice'),
        of.grantStates('is final, and asked for once'),
        of.cognitoTokens('the id token of the same person is refused, and so is a changed token'),
        of.foreignConfiguration('everything at once'),
      ],
    },
  ),
  promise('SEC-07', 'Tokens of the identity provider and of the client never cross, nor reach a log.', {
    tests: [
      of.proxyHeaders('the token does not cross, spelled %s'),
      of.secrecy('no event of the log held one either, nor a query, nor what the person is called at the provider'),
      of.logScan('writes none of them to its output'),
    ],
  }),
  promise('SEC-08', 'Who reads the database learns no credential that works.', {
    tests: [
      of.secrecy(
        'what the database holds makes no credential: its values are worth nothing as code, token, state or cookie',
      ),
      of.logScan('writes none of them to a database'),
      of.keyring('opens in its own context alone'),
      of.keyring('every changed bit is refused: of the iv, the ciphertext and the tag'),
      of.localSigner('is in no record in the clear'),
      of.kmsSecrets('are one for all instances that start at once, and in no record in the clear'),
      of.sealingRotation('people who refresh and call throughout stay signed in, and every private key is sealed anew'),
      of.rotationUnderLoad('people who refresh and call throughout stay signed in'),
      of.sqliteFile('only the owner may read the file, its companions and the folders made for it'),
    ],
  }),
  promise(
    'SEC-09',
    'What others make us fetch reaches no special-use address, and costs bounded time, bytes and connections.',
    {
      tests: [
        of.specialUse('an IPv4 address inside an IPv6 one is refused, whatever carries it'),
        of.safeFetch('the name is asked for once, so a second answer (DNS rebinding) is never heard'),
        of.safeFetch('a body that drips ends at the limit for the whole'),
        of.cachedFetch('16 at once, 4 to one host whatever its port; what ends makes room'),
        of.image('cut off or damaged anywhere, it is a picture or none'),
        of.oidcOptions('is given up where an answer has no end'),
      ],
    },
  ),
  promise('SEC-10', 'Nothing that anonymous callers do grows storage or memory without bound.', {
    tests: [
      of.authorize('nothing is stored before consent'),
      of.register('a flood of 2,000 registrations leaves the records empty'),
      of.budgets('of %s takes nothing from the other endpoints'),
      of.budgetsWired('over its budget'),
      of.budgetsShutOut('strangers who use up the sign-ins to the person’s page keep nobody from revoking'),
      of.toolRoom('is refused with 503 beyond its share, and given back when the sender leaves'),
      of.storedRegistration('the budget'),
      of.counters('grow by no series through what a stranger sends'),
      of.auditTrail('that hangs fills its own queue, costs nobody else anything, and the overflow is counted'),
      of.storedRegistration('remembers a bounded number of keys, and forgets the one that was quiet longest'),
      of.cachedFetch('a bounded map forgets what was not used for longest'),
      of.readsPerRequest('that are refused: none by made-up tokens, one for ever by an ended grant'),
      of.grantStates('a bounded number of grants is remembered, the latest'),
      of.slowSenders('who never ends %s, nor the connection, loses it'),
    ],
  }),
  promise('SEC-11', 'What was judged is what the target gets, and no header of a stranger passes for one of ours.', {
    tests: [
      of.smuggling('what is refused reaches nobody'),
      of.smuggling('what passes is the request that was judged'),
      of.requestTarget('paths'),
      of.requestTarget('framing'),
      of.openPath('of %s and %s the longer open path answers what is below both'),
      of.admission('Host'),
      of.nodeAdapter('headers that stand twice'),
      of.proxyHeaders('an identity header %s of a stranger is replaced by ours'),
      of.gatewayBadInput('headers'),
      of.discovery('a method cannot be overridden'),
      of.toolJson('any document with one reading is taken with that reading, and any other refused'),
      of.toolCalls('is the message that was judged, written anew, with every number as it was'),
      of.fuzzedRequests('the target saw nothing that it should not'),
    ],
  }),
  promise(
    'SEC-12',
    'Pages have no script, are not framed, sniffed, referred or kept, and escape what strangers wrote.',
    {
      tests: [
        of.consentPage('what browsers may do with it'),
        of.consentPage('names of strangers'),
        of.connections('no script, nothing from elsewhere, not framed, not cached'),
        of.frontPage('has no script, may not be framed, sniffed or kept'),
        of.chromium('the front page is whole, in %s'),
        of.connectionsChromium('says to a screen reader what each button does, and to whom'),
      ],
    },
  ),
  promise('SEC-13', 'Logs and errors hold no secret, and tell a stranger nothing that helps.', {
    tests: [
      of.log('with its failures holds no code, token, verifier, cookie, state, signature or secret'),
      of.log('every request is one line with its path and never its query'),
      of.logCut('POST %s, half sent'),
      of.auditCommand('finds all of it, newest first, without a secret'),
      of.toolAudit('is kept with the person, the client and the tool'),
      of.auditFlows('neither log nor audit events hold a secret or what a person is called'),
      of.auditCatalogue('every event that the sources say is in the catalogue'),
      of.clientAuthentication('unknown and wrong are one answer (SEC-13)'),
      of.token('all refusals of a code are one answer (SEC-13)'),
      of.introspect('inactive, and nothing else is said'),
      of.config('one that stands in the configuration is refused and not repeated (%#)'),
      of.cliStart('%s in the data directory is said without a stack'),
    ],
  }),
  promise('SEC-14', 'Secrets are compared in constant time, and their randomness is the system’s.', {
    tests: [
      of.keyring('one made for %s is refused'),
      of.keyring('cut, longer, padded and re-spelled ones are refused'),
      of.pkce('a challenge of another length is refused and does not throw'),
      of.clientIdProperties('any character put in, left out or changed makes it nobody’s'),
    ],
    later: 'That comparisons take constant time is read in the code, and not measured yet.',
  }),
  promise('SEC-15', 'Mix-up fails: iss is always sent, and checked at the identity provider with state and nonce.', {
    tests: [
      of.oidc('with the iss of another provider (mix-up): no, before the code is spent'),
      of.oidc('with another nonce: no'),
      of.oidcFaults('id_tokens that are not believed'),
      of.cognitoSignIn('a sign-in at a pool on this computer: token and keys come from where they should'),
      of.jwtBearer('people of two identity providers with one subject are two people'),
      of.oidcRenew('an id_token of another person is a definite no'),
      of.cognitoRenew('is nobody else at a renewal'),
      of.github('another person is a definite no'),
      of.presets('somebody of another Workspace domain is refused at Google, whatever the page let them choose'),
    ],
  }),
  promise('SEC-16', 'Revocation is final within seconds in every instance, cascades, and survives a crash.', {
    tests: [
      of.revocationAcrossProcesses('a grant revoked at %s process'),
      of.revoke('at once on this instance and after five seconds on every other'),
      of.revoke('comes after the end, and again when asked again'),
      of.grantProperties('after the end nothing is ever issued, and the end stays as it was'),
      of.connections('revoking'),
      of.identitySession('%i s after a sign-in: out within the promised time'),
      of.identitySessionCognito('signed out at the pool: out here within the hour'),
      of.clock('a revocation is seen in time by an instance whose clock was %s and is right again'),
      of.instances('on %s'),
      of.identitySessionEnd('ended with the grant, at the provider as well'),
      of.identitySessionCascade('a grant that is revoked while its session is renewed'),
      of.identitySessionMoved('ends the grant when it is stale, and not before'),
      of.providerRevokes('Keycloak is told of no session, unless the operator wants it'),
      of.library('ends the grant: the guard of this process refuses at once, and nothing is refreshed'),
      of.keyRotation('ends the tokens it signed everywhere within a minute, and the next key signs'),
      of.gatewayKeys('rotates to another algorithm without a restart, while somebody refreshes and calls'),
    ],
  }),
  promise('SEC-17', 'A target on standard input runs without a shell, with no environment of ours, for one person.', {
    tests: [
      of.stdioSessions(
        'A client of the first SDK lists and calls tools, hears progress, and is asked for a sample, an elicitation and its roots.',
      ),
      of.stdioThroughTheProxy(
        'Sessions: a user has a process, is asked by it, and cannot pass for another by headers.',
      ),
      of.stdioEndpoint(
        'A process has what is configured and what any program needs, and none of the gateway’s own environment.',
      ),
    ],
    later: 'It runs as the gateway’s own user: a server that reads files for its caller can read ours.',
  }),
  promise(
    'SEC-18',
    'Few dependencies, pinned; nothing is loaded that was not asked for, nothing downloaded is executed.',
    {
      tests: [
        of.imports('the whole library loads neither the MCP SDK nor a database nor a framework'),
        of.imports('the guard loads oauth/ and resource-server/, and nothing else'),
      ],
      later: 'Provenance comes with the first publication.',
    },
  ),
  promise('SEC-19', 'Kinds of record never collide, and no failure is remembered as an answer.', {
    tests: [
      of.recordsInput('kinds cannot collide, whatever separators an id holds'),
      of.cachedFetch('100 at once that fail are one fetch, and the failure is not kept'),
      of.localSigner('a load that failed is tried again'),
      of.recordedKeys('records that could not be opened are opened by a later call'),
      of.issuerKeys('from the beginning: 503, asked once a second, and healed without a restart'),
      of.oidcFaults('for discovery: not now; and once it is back, all is well'),
    ],
  }),
];
