/** The files the table refers to, each under one name, so that a move is one line. */
import { testsIn } from './requirement.ts';

const auth = (name: string) => testsIn(`packages/auth/test/${name}.test.ts`);
const gateway = (name: string) => testsIn(`packages/gateway/test/${name}.test.ts`);
const records = 'packages/records/test';
const blackBox = (name: string) => testsIn(`conformance/${name}.test.ts`);

export const library = auth('gatehouse');
export const grant = auth('grant');
export const grantProperties = auth('grant.properties');

export const auditRecords = auth('audit/audit-records');
export const auditCatalogue = auth('audit/catalogue');
export const counters = auth('audit/counters');
export const auditFlows = auth('audit/flows');
export const auditTrail = auth('audit/trail');

export const fetchAdapter = auth('adapters/fetch');
export const nodeAdapter = auth('adapters/node');

export const authorize = auth('authorization-server/authorize');
export const budgets = auth('authorization-server/budgets');
export const budgetsShutOut = auth('authorization-server/budgets-shut-out');
export const budgetsWired = auth('authorization-server/budgets-wired');
export const callback = auth('authorization-server/callback');
export const clientAuthentication = auth('authorization-server/client-authentication');
export const connections = auth('authorization-server/connections');
export const closedRegistration = auth('authorization-server/closed-registration');
export const consent = auth('authorization-server/consent');
export const consentPage = auth('authorization-server/consent-page');
export const consentStanding = auth('authorization-server/consent-standing');
export const discovery = auth('authorization-server/discovery');
export const flow = auth('authorization-server/flow');
export const identitySession = auth('authorization-server/identity-session');
export const identitySessionCascade = auth('authorization-server/identity-session-cascade');
export const identitySessionClose = auth('authorization-server/identity-session-close');
export const identitySessionCognito = auth('authorization-server/identity-session-cognito');
export const identitySessionEnd = auth('authorization-server/identity-session-end');
export const identitySessionLease = auth('authorization-server/identity-session-lease');
export const identitySessionMoved = auth('authorization-server/identity-session-moved');
export const identitySessionRaces = auth('authorization-server/identity-session-races');
export const introspect = auth('authorization-server/introspect');
export const authOptions = auth('authorization-server/options');
export const outages = auth('authorization-server/outages');
export const refresh = auth('authorization-server/refresh');
export const register = auth('authorization-server/register');
export const rememberedConsent = auth('authorization-server/remembered-consent');
export const rememberedConsentOffer = auth('authorization-server/remembered-consent-offer');
export const rememberedConsentProperties = auth('authorization-server/remembered-consent.properties');
export const revoke = auth('authorization-server/revoke');
export const roles = auth('authorization-server/roles');
export const secrecy = auth('authorization-server/secrecy');
export const token = auth('authorization-server/token');

export const providerRevokes = auth('identity-providers/revokes');
export const newerRecords = auth('records/newer');
export const releasedRecords = auth('records/released');
export const storedShapes = testsIn('packages/records/test/conformance-shapes.ts', [
  'packages/auth/test/records/shapes.test.ts',
]);
export const clientAssertion = auth('clients/client-assertion');
export const clientIdProperties = auth('clients/client-id.properties');
export const clientIdUrl = auth('clients/client-id-url');
export const configured = auth('clients/configured');
export const document = auth('clients/document');
export const image = auth('clients/image');
export const metadataDocument = auth('clients/metadata-document');
export const metadataDocumentFlow = auth('clients/metadata-document-flow');
export const storedRegistration = auth('clients/stored-registration');

export const cognitoTokens = auth('foreign/cognito');
export const compactJws = auth('foreign/compact-jws');
export const foreignConfiguration = auth('foreign/configuration');
export const foreignGuard = auth('foreign/guard');
export const issuerKeys = auth('foreign/issuer-keys');
export const oidcProviderTokens = auth('foreign/oidc-provider');
export const staticToken = auth('foreign/static-token');
export const wrongTokens = auth('foreign/wrong-tokens');

export const clientCredentials = auth('grant-types/client-credentials');
export const jwtBearer = auth('grant-types/jwt-bearer');

export const cognitoRenew = auth('identity-providers/cognito-renew');
export const cognitoSignIn = auth('identity-providers/cognito');
export const github = auth('identity-providers/github');
export const oidcFaults = auth('identity-providers/oidc-faults');
export const oidc = auth('identity-providers/oidc');
export const oidcOptions = auth('identity-providers/oidc-options');
export const oidcRenew = auth('identity-providers/oidc-renew');
export const presets = auth('identity-providers/presets');

export const kmsSpendsNothing = auth('keys/kms-spends-nothing');
export const rotationUnderLoad = auth('keys/rotation-under-load');
export const sealingRotation = auth('keys/sealing-rotation-under-load');
export const kmsSecrets = auth('signers/kms-secrets');
export const kmsSigner = auth('signers/kms-signer');
export const recordedKeys = auth('signers/recorded-keys');
export const localSigner = auth('signers/local');
export const keyRotation = auth('signers/rotation');
export const keyring = auth('sealing/keyring');

export const cachedFetch = auth('net/cached-fetch');
export const safeFetch = auth('net/safe-fetch');
export const specialUse = auth('net/special-use');

export const challengeProperties = auth('oauth/challenge.properties');
export const jws = auth('oauth/jws');
export const jwsAlgorithms = auth('oauth/jws-algorithms');
export const metadata = auth('oauth/metadata');
export const parameters = auth('oauth/parameters');
export const pkce = auth('oauth/pkce');
export const redirectHosts = auth('oauth/redirect-hosts');
export const redirectUri = auth('oauth/redirect-uri');
export const redirectUriProperties = auth('oauth/redirect-uri.properties');
export const resource = auth('oauth/resource');
export const scope = auth('oauth/scope');
export const scopeProperties = auth('oauth/scope.properties');

export const grantStates = auth('resource-server/grant-states');
export const guard = auth('resource-server/guard');
export const identityHeaders = auth('resource-server/identity-headers');
export const imports = auth('resource-server/imports');
export const ownTokens = auth('resource-server/own-tokens');
export const ownWrongTokens = auth('resource-server/wrong-tokens');
export const readsPerRequest = auth('resource-server/reads-per-request');
export const requireNeeds = auth('resource-server/require');

export const toolNeeds = auth('resource-server/tool-needs');
export const verifierClaims = auth('resource-server/verifier-claims');

export const failsClosed = auth('vulnerabilities/fails-closed');
export const misplacedCredentials = auth('vulnerabilities/misplaced-credentials');
export const peopleAtOnce = auth('vulnerabilities/people-at-once');
export const reflected = auth('vulnerabilities/reflected');

export const admission = gateway('admission');
export const gatewayBadInput = gateway('bad-input');
export const auditCommand = gateway('audit');
export const cliLocal = gateway('cli-local');
export const cliStart = gateway('cli-start');
export const cli = gateway('cli');
export const configuredAuthorizer = gateway('configured-authorizer');
export const configStart = gateway('config-start');
export const config = gateway('config');
export const end = gateway('end');
export const frontPage = gateway('front-page');
export const gatewayKeys = gateway('keys');
export const lambdaAuthorizerEntry = gateway('lambda-authorizer-entry');
export const lambdaAuthorizer = gateway('lambda-authorizer');
export const log = gateway('log');
export const machineClaims = gateway('machine-claims');
export const openPath = gateway('open-path');
export const proxyAnswers = gateway('proxy-answers');
export const proxyHeaders = gateway('proxy-headers');
export const requestTarget = gateway('request-target');
export const logCut = gateway('log-cut');
export const toolAudit = gateway('tool-audit');
export const toolRoom = gateway('tool-room');
export const recordsCommand = gateway('records');
export const drain = gateway('drain');
export const health = gateway('health');
export const limits = gateway('limits');
export const outage = gateway('outage');
export const outageParts = gateway('outage-parts');
export const people = gateway('people');
export const slowSenders = gateway('slow-senders');
export const streaming = gateway('streaming');
export const toolCalls = gateway('tool-calls');
export const toolJson = gateway('tool-json');
export const toolLists = gateway('tool-lists');
export const callersAtOnce = gateway('vulnerabilities/people-at-once');
export const wayRoundTheGuard = gateway('vulnerabilities/way-round-the-guard');

const memory = `${records}/memory.test.ts`;
const sqlite = `${records}/sqlite.test.ts`;
const everyBackEnd = [
  memory,
  sqlite,
  ...['postgres', 'redis', 'dynamodb', 'dynamodb-local'].map((name) => `${records}/${name}.test.ts`),
];
export const recordsContract = testsIn(`${records}/conformance.ts`, everyBackEnd);
export const recordsInput = testsIn(`${records}/conformance-input.ts`, everyBackEnd);
export const recordsProcesses = testsIn(`${records}/conformance-processes.ts`, everyBackEnd.slice(1));
export const recordsVersions = testsIn(`${records}/conformance-versions.ts`, everyBackEnd);
export const storedValue = testsIn(`${records}/stored-value.test.ts`);
export const recordShapes = testsIn(`${records}/shapes.test.ts`);
export const failingDisk = testsIn(`${records}/sqlite-failing-disk.test.ts`);
export const postgresFaults = testsIn(`${records}/postgres-faults.test.ts`);
export const redisFaults = testsIn(`${records}/redis-faults.test.ts`);
export const dynamoDbFaults = testsIn(`${records}/dynamodb-faults.test.ts`);
export const memoryShelf = testsIn(`${records}/memory-shelf.test.ts`);
export const sqliteFile = testsIn(`${records}/sqlite-file.test.ts`);

export const officialAuthorization = blackBox('official/authorization');
export const officialServer = blackBox('official/server');
export const revocationAcrossProcesses = blackBox('races/revocation-across-processes');
export const races = blackBox('races/code-and-refresh');
export const fuzzedConnections = blackBox('fuzz/connections');
export const fuzzedRequests = blackBox('fuzz/requests');
export const personas = blackBox('personas/personas');
export const personaConsequences = blackBox('personas/consequences');
export const personaRefusals = blackBox('personas/refusals');
export const badInput = blackBox('requirements/bad-input');
export const clock = blackBox('instances/clock');
export const instances = blackBox('instances/instances');
export const kills = blackBox('instances/kills');
export const redemptions = blackBox('instances/redemptions');
export const historiesChecker = blackBox('histories/checker');
export const historiesFaults = blackBox('histories/faults');
export const simulator = blackBox('simulator/simulator');
export const soak = blackBox('soak/soak');
export const connectionsChromium = blackBox('strangers/connections.chromium');
export const chromium = blackBox('strangers/chromium');
export const inspector = blackBox('strangers/inspector');
export const logScan = blackBox('strangers/log-scan');
export const mcpRemote = blackBox('strangers/mcp-remote');
export const stepUp = blackBox('strangers/step-up');
export const sdkV1 = blackBox('strangers/sdk-v1');
export const sdkV2 = blackBox('strangers/sdk-v2');
