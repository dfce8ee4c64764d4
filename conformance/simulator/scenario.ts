/** What clients do in a run, to how many instances: the small scenes that are tried in every order, and those made by chance. */
import { random } from '../fuzz/random.ts';

/** A number is a pause in seconds. `old`: a refresh token that has been followed by another one. `…-wrongly`: in other hands. */
export type Action =
  | 'redeem'
  | 'redeem-wrongly'
  | 'refresh'
  | 'refresh-wrongly'
  | 'old'
  | 'revoke'
  | 'revoke-by-access-token'
  | 'call'
  | number;

export interface Scenario {
  readonly name: string;
  /** How far off each instance's clock is, in seconds. */
  readonly offsets: readonly number[];
  /** One list a client; they share what they were given, as the windows of one program do. */
  readonly clients: readonly (readonly Action[])[];
  /** So many rotations have taken place when it begins; 0: there is only a code. */
  readonly generation: number;
  /** How often a client comes again that got no answer or a 503. */
  readonly retries: number;
  /** Any client may come to any instance each time; otherwise the first to the first, and so on. */
  readonly anyInstance?: true;
  /** An identity provider's session hangs on the grant, and every refresh is due to ask. */
  readonly session?: true;
  /** Answers of the database travel, too. */
  readonly slowAnswers?: true;
  /** The signature may fail. */
  readonly signerFaults?: true;
  /** Clients begin one after the other, as it happens. */
  readonly staggered?: true;
}

export interface SmallScene extends Scenario {
  /** Every order is tried, with up to so many faults at every place where one can be. */
  readonly maxFaults: number;
}

const base = { offsets: [0, 0], generation: 0, retries: 0 } as const;

/** Each is tried in every order there is. */
export const smallScenes: readonly SmallScene[] = [
  {
    ...base,
    name: 'two redeem and refresh',
    clients: [
      ['redeem', 'refresh'],
      ['redeem', 'refresh'],
    ],
    maxFaults: 3,
  },
  { ...base, name: 'three redeem', clients: [['redeem'], ['redeem'], ['redeem']], maxFaults: 2 },
  {
    ...base,
    name: 'redeem, come again, and refresh',
    clients: [['redeem', 'refresh', 'refresh']],
    retries: 2,
    maxFaults: 3,
  },
  {
    ...base,
    name: 'two redeem a spent code while two refresh',
    clients: [['redeem'], ['redeem'], ['refresh'], ['refresh']],
    generation: 1,
    maxFaults: 1,
  },
  {
    ...base,
    name: 'three refresh while one revokes',
    clients: [['refresh'], ['refresh'], ['refresh'], ['revoke']],
    generation: 1,
    maxFaults: 1,
  },
  {
    ...base,
    name: 'two refresh twice while one revokes',
    clients: [['refresh', 'refresh'], ['refresh', 'refresh'], ['revoke']],
    generation: 1,
    maxFaults: 1,
  },
  {
    ...base,
    name: 'one refreshes and comes again, one revokes',
    clients: [
      ['refresh', 'refresh'],
      ['revoke', 'refresh', 'call'],
    ],
    generation: 1,
    retries: 1,
    maxFaults: 2,
  },
  {
    ...base,
    name: 'two revoke, one refreshes, one calls before and after',
    clients: [['revoke'], ['revoke'], ['refresh'], ['call', 'call']],
    generation: 1,
    maxFaults: 1,
  },
  {
    ...base,
    name: 'a stolen old token against the newest',
    clients: [['old'], ['refresh', 'refresh'], ['refresh-wrongly']],
    generation: 3,
    maxFaults: 1,
  },
  {
    ...base,
    name: 'a call remembers while one revokes and answers travel',
    clients: [['call', 'call'], ['revoke', 'call'], ['call']],
    generation: 1,
    slowAnswers: true,
    maxFaults: 1,
  },
  {
    ...base,
    name: 'two refresh and the person is asked for',
    clients: [['refresh'], ['refresh']],
    generation: 1,
    session: true,
    maxFaults: 1,
  },
];

const pauses = [0, 1, 4, 6, 20, 50, 61, 130] as const;
const clocks = [
  [0, 0],
  [0, 0, 0],
  [0, 20],
  [-300, 300],
  [300, -300, 0],
] as const;
const usual: readonly Action[] = [
  'redeem',
  'refresh',
  'refresh',
  'refresh',
  'refresh',
  'refresh',
  'call',
  'call',
  'old',
  'revoke',
  'revoke-by-access-token',
  'redeem-wrongly',
  'refresh-wrongly',
];

/** Two or three clients with four to nine things to do. */
export function scenarioByChance(seed: number, lane: number): Scenario {
  const { below, chance, pick } = random(seed, lane);
  const generation = chance(0.4) ? 0 : 1 + below(3);
  // Most things worth seeing happen while nothing ends the grant.
  const calm = chance(0.5);
  const actions = calm ? usual.filter((action) => action === 'refresh' || action === 'call') : usual;
  // Sixteen at once: as many as one generation's grace never sees from an honest client, and one more.
  const crowd = chance(0.02);
  const clients = Array.from({ length: crowd ? 14 : 2 + below(2) }, (_, at) => {
    const list = Array.from({ length: crowd ? 1 : 2 + below(2) }, () => (chance(0.15) ? pick(pauses) : pick(actions)));
    if (crowd) return ['refresh'] as const;
    return generation === 0 && at === 0 ? (['redeem', ...list] as const) : list;
  });
  return {
    name: `by chance, ${seed}/${lane}`,
    offsets: pick(clocks),
    clients,
    generation: crowd ? 1 : generation,
    retries: below(3),
    anyInstance: true,
    staggered: true,
    ...(chance(0.2) && { session: true }),
    ...(chance(0.3) && { slowAnswers: true }),
    ...(chance(0.3) && { signerFaults: true }),
  };
}
