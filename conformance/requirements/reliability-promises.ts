/** What we promise of days on which things break (REL-01 to REL-07). */
import { promise, type Requirement } from './requirement.ts';
import * as of from './test-files.ts';

export const reliabilityPromises: readonly Requirement[] = [
  promise('REL-01', 'What was acknowledged is there after kill -9 at any instruction.', {
    tests: [
      of.recordsProcesses('after the writing process was killed in the midst of it'),
      of.kills('on %s'),
      of.outageParts('a disk that is full: what would write is 503, what reads goes on, nothing is lost or broken'),
      of.failingDisk('$what: some writes are refused as unavailable, none is half there'),
      of.postgresFaults('acknowledged means on the disk, though the server’s default says otherwise'),
      of.sqliteFile('on a full disk a write is refused as unavailable, and what was acknowledged stays'),
      of.cliLocal('survives kill -9 without losing what it had said'),
    ],
  }),
  promise('REL-02', 'While a part is away the answer is 503, nobody throws a token away, and it heals by itself.', {
    tests: [
      of.outages('redeeming, at %s: 503, and the same code works afterwards'),
      of.outages('refreshing, at %s: 503, and the same token works afterwards'),
      of.outage('tokens are neither redeemed, refreshed nor revoked: 503, and nobody throws one away'),
      of.outage('once it is back everything is as it was, without a restart'),
      of.outageParts('a database that takes questions and gives no answer: every endpoint says 503 within its time'),
      of.outageParts(
        'an identity provider that is away: tokens and refreshes go on, new sign-ins are told, and it heals',
      ),
      of.health('says which part is away in one word, never why, and heals by itself'),
      of.postgresFaults('a database that goes away and comes back costs the calls in between and nothing else'),
      of.redisFaults('a server that is killed and comes back costs the calls in between and nothing else'),
      of.redisFaults('a command whose answer is lost is not sent again: nobody learns that a record was absent'),
      of.recordsCommand('what is wrong is said, with a cure'),
      of.dynamoDbFaults('nobody there, no answer, or nonsense: away, in time, and healed as soon as it is back'),
      of.end('with its records away a token is answered 503 and Retry-After, and never 401'),
      of.ownTokens('an issuer that is away is 503 and, once it is back, none'),
      of.kmsSigner('when KMS fails'),
      of.kmsSpendsNothing('when a code is redeemed: the same code works afterwards'),
      of.grantStates('what was known is good for sixty seconds, then 503, and then it heals'),
      of.oidcFaults('a provider that is away'),
      of.auditRecords('for longer loses the event, and the gap stands in the trail when it is back'),
    ],
  }),
  promise('REL-03', 'Any input has an answer of the right form in its time, and never one that is our fault.', {
    tests: [
      of.limits('what takes too long is answered for it, and keeps its place until it is over'),
      of.badInput('nothing of it was a fault, and nothing was answered with a 5xx'),
      of.gatewayBadInput('lines that are no HTTP'),
      of.fuzzedRequests('the process lives, in the memory it had, and says it is well'),
      of.fuzzedConnections('and the next person is served by a process that lives'),
      of.fetchAdapter('an endless body is not read to its end'),
      of.nodeAdapter('clients that go away or send a broken body'),
      of.parameters('whatever it is given, it answers or refuses'),
      of.cli('what cannot start: exit code 1, in words and without a stack'),
      of.configStart('faults across settings stand beside the others'),
      of.authOptions('all at once'),
    ],
  }),
  promise('REL-04', 'An end in order loses no request in flight.', {
    tests: [
      of.end('lets a request in flight finish, takes no new one, and may be called again'),
      of.end('an event stream is ended when the gateway ends, and not cut when the grace is over'),
      of.cliLocal('SIGTERM lets a call in flight finish, and exits with 0'),
      of.drain('two hundred requests in flight across SIGTERM all get their answer, whole'),
      of.drain('a stream that only listens ends at once, and a call answered as events still gets its result'),
      of.instances('a rolling restart under load loses nobody, and no request that is under way'),
      of.identitySessionClose('%s waits for the answer, and for no longer than 30 s'),
    ],
  }),
  promise('REL-05', 'Clocks that differ by five minutes between instances break nothing but what they must.', {
    tests: [
      of.clientAssertion('until it has expired everywhere, by clocks that are five minutes apart'),
      of.identitySessionLease('the lease'),
      of.guard('good until five seconds after its end, and not a second longer, remembered or not'),
      of.issuerKeys('a clock that is set back does not keep keys for ever'),
      of.historiesChecker('in which clocks differ: a grace is shorter at one instance and longer at another'),
      of.recordsContract('what expired stays absent when the clock goes back after a new one was created'),
    ],
  }),
  promise('REL-06', 'Memory is flat under soak, aborted clients, slow readers and floods.', {
    tests: [
      of.streaming('two hundred times, and no connection is left'),
      of.streaming('a client that does not read stops the target, and loses nothing'),
      of.streaming('hundreds of open streams do not stop a call'),
      of.memoryShelf('at a steady pace of writes, expired records never outnumber half the living'),
      of.soak('everything at once: no answer that should not be, memory below its ceiling, an end in order'),
      of.limits('a reader that stopped is cut, and its target learns of it; a stream that is silent lives'),
      of.limits('clients that go away give their places back'),
    ],
    later: 'A soak of hours is not run yet.',
  }),
  promise('REL-07', 'New versions read old records; old versions refuse newer ones with words.', {
    tests: [
      of.recordsVersions('an older value is upgraded by get, list and take, and stays as it is until it is written'),
      of.recordsVersions('a newer record is refused with words, and nothing happens to it'),
      of.storedValue(
        'any JSON is read back by the release that wrote it, upgraded by a newer and refused by an older one',
      ),
      of.releasedRecords('a refresh token goes on, its predecessor is answered alike, and an older one ends the grant'),
      of.newerRecords('a newer sign-in is still there when its person comes back: no callback takes it'),
      of.storedShapes('what is really stored has the shapes of the types'),
      of.recordShapes('a table names the path of every field, those in lists and in others among them'),
      of.sqliteFile('a file of a newer release is refused with words'),
    ],
  }),
];
