/** What we promise of the gateway as a product: to whoever puts it in front of a server, and to whoever runs it. */
import { promise, type Requirement } from './requirement.ts';
import * as of from './test-files.ts';

export const gatewayPromises: readonly Requirement[] = [
  promise(
    'GW-01',
    'Any MCP server can stand behind the gateway: HTTP of every revision, HTTP+SSE, a command, several, on several hosts.',
    {
      tests: [
        of.officialSameResult('has the same result at %s'),
        of.publicServersEverything('nobody gets in without a token'),
        of.publicServersMemory('remembers what it was told, and another client of the person finds it'),
        of.apiResource('%s, with its body, its type and its query'),
        of.configTargets('an address alone is an endpoint without settings'),
        of.legacySseEvents('keeps what a client reconnects with'),
        of.legacySseServed('serves the client of its day'),
        of.legacySse('lists and calls, hears progress, is asked and answers, and leaves'),
        of.resourceHosts('a resource on a host of its own'),
        of.stdioEndpoint('A message %s is refused, and starts nothing.'),
        of.stdioParts(
          'The outermost keys of any message are found with their values, and putting them together again changes nothing.',
        ),
        of.stdioProcesses(
          'A process that is killed in flight answers every request with an error, and its client begins anew.',
        ),
        of.stdioSessions(
          'A client of the first SDK lists and calls tools, hears progress, and is asked for a sample, an elicitation and its roots.',
        ),
        of.stdioShared(
          'Everybody’s sessions are on one process that does not know who they are; equal ids and progress tokens do not meet.',
        ),
        of.stdioStateless(
          'A client of 2026-07-28 discovers, lists, calls, hears progress and answers what the server needs, on one process.',
        ),
        of.stdioThroughTheProxy(
          'Sessions: a user has a process, is asked by it, and cannot pass for another by headers.',
        ),
        of.targetSettings('an answer that does not begin within answerSeconds: 504, and the log has the setting'),
      ],
    },
  ),
  promise('GW-02', 'Streams pass unbuffered, stay open through silences, and end with their clients.', {
    tests: [
      of.streamsStreams('a long stream with long silences stays open, and every event of it comes whole'),
      of.keepAlive('never while what was written before still waits for the client'),
    ],
  }),
  promise('GW-03', 'A target that is slow, away or broken costs its own calls, and no call is run twice.', {
    tests: [
      of.targetTls('%s: a target is reached %s'),
      of.targetConnection('a certificate that nobody vouches for is not believed, and the log names tls.ca'),
      of.targetHealth('500 twice is away, any other answer is not, and one good look brings it back'),
      of.targetRetry('a connection that cannot be opened'),
    ],
  }),
  promise('GW-04', 'A target learns who calls in the form it is configured for, and in no other.', {
    tests: [
      of.refusedCalls(
        'While nobody can be named to the target it is 503, and the room of the message is given back; a token in the query is refused in any spelling.',
      ),
      of.targetTransports('that is told: no process for two people, and each has its person in its environment'),
      of.authorizationServerHosts('protected-resource metadata'),
      of.authorizationServerProviderToken(
        'of the sign-in is given with its end, and stands sealed in the session of the grant',
      ),
      of.resourceServerIdentityAssertion('is verified by jose with the published keys, and says who calls'),
      of.targetIdentity('the client’s token does not arrive, whole or in pieces, nor anything it says of itself'),
    ],
  }),
  promise('GW-05', 'Who may come in, and how often, is the operator’s to say.', {
    tests: [
      of.authorizationServerPeople('of somebody the list has by %s comes to a code'),
      of.identityProvidersVerifiedEmail('is judged by each preset in its own way'),
      of.oauthEmailDomainProperties('is what stands behind the @, in lower case and ASCII, however it is written'),
      of.peopleList('without a list everybody is admitted'),
      of.rateLimitsGateway(
        'over the limit: 429 with Retry-After, the id and words; the target hears nothing, other tools go on',
      ),
      of.rateLimits('by person, client and tool, each in its own bucket'),
      of.retryAfter('where the target itself says when, that is what the client hears'),
    ],
  }),
  promise(
    'GW-06',
    'What goes on can be seen, in a log, in figures and in traces, and costs nothing where nobody looks.',
    {
      tests: [
        of.metricsServer('before anything has happened'),
        of.tailSource('what was written to the old file until the new one was seen is read before it'),
        of.tail('is aligned, with what matters in the same columns'),
        of.telemetryGateway('from the client’s header through us to the target'),
        of.telemetry('loads nothing and opens nothing while it is off'),
      ],
    },
  ),
  promise('GW-07', 'What an operator does has a command that teaches, says what is wrong and how to mend it.', {
    tests: [
      of.serveTerminal('says what it waits for, and a second Ctrl+C ends it'),
      of.operatorDevelopmentToken('passes the guard of a running gateway and says what was asked for'),
      of.operatorGrants('says all there is to know of a grant and nothing that could be used'),
      of.commandsCheckPeople('%s: a warning'),
      of.commandsCheck('finds nothing, says so, and names the redirect URI'),
      of.commandsCli('--help teaches: what it is for, an example, --json, exit codes; the same by help'),
      of.commandsInitTerminal('asks, judges each answer at once, and writes what was answered'),
      of.commandsInit('writes a configuration that loads, with its comments, and says what is next'),
      of.commandsJsonLine('%j comes back as it was, and no terminal acts on it'),
      of.commandsOperatorPostgres('clients that are configured, that registered, and that somebody allowed something'),
      of.commandsOperator('clients, known from their grants'),
    ],
  }),
  promise('GW-08', 'The doctor names the fault of a server, and finds none where there is none.', {
    tests: [
      of.doctorPersonasSdk('the verdict is the SDKs’ own: %s'),
      of.provedDoctorOwnGateway('has no fault and no warning, and clients on this computer all connect'),
      of.provedDoctorPeers('fastmcp with its OAuth proxy'),
      of.doctorBrokenBroken('has a broken server for every rule'),
      of.doctorBrokenGoodServer('is good'),
      of.doctorCommand('ends with 0 at a good server, and says what it looked at'),
      of.doctorHints('every finding that it has a hint for gets one, and no other'),
      of.doctorHostile('that never stops talking is read to a limit'),
      of.doctorOwnGateway('the doctor at our own gateway'),
      of.doctorOwnLibrary('nothing above a note at %o'),
      of.doctorParts('is one line without what a terminal acts on'),
      of.doctorPersonas('where documents are announced, nothing is claimed of those that were not tried'),
      of.doctorProbes('of a stream that says nothing takes the head, and does not wait for more'),
      of.doctorReport('tells faults before warnings and notes, chapter by chapter, then the clients'),
      of.doctorRequiredMembers('the %s form'),
      of.doctorWords(
        'state that is lost for what clients send is a fault; in the refusal of what none sends, a warning about errors',
      ),
    ],
  }),
  promise('GW-09', 'It runs as a process, a container, a service and a Lambda function alike.', {
    tests: [
      of.deploy('copies what is there and what the builder is sent, and nothing else is sent'),
      of.lambdaEnds('under aws-lambda-ric (LAMBDA_RIC)'),
      of.lambdaEvent('cookies stand in one header, and never twice'),
      of.lambdaStart('is the JSON itself, or the path of a file, JSON or YAML'),
      of.lambda('under aws-lambda-ric (LAMBDA_RIC)'),
    ],
  }),
  promise('GW-10', 'What the guides say can be done as they say it.', {
    tests: [
      of.guidesExpress('the server behind the gateway believes the gateway and nobody else'),
      of.guides('stand in every guide that is about one'),
    ],
  }),
];
