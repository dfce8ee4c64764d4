/** What a run is played on: how an instance is made, and how the person got the code that it begins with. */
import type { Front, Start } from './cluster.ts';
import type { SimulatedProvider } from './identity-provider.ts';
import type { Scenario } from './scenario.ts';
import type { Flaw, Store } from './store.ts';
import type { World } from './world.ts';

export interface StageOptions {
  readonly scenario: Scenario;
  readonly world: World;
  readonly store: Store;
  readonly provider: SimulatedProvider;
  readonly flaw: Flaw | undefined;
  /** Whether the signature fails this time. */
  readonly signerFails: (instance: string) => boolean;
}

export interface Stage {
  start(options: Start): Front;
  /** Signs the person in, while all is quiet. Gives the code. */
  signIn(): Promise<string>;
  /** Lets the identity provider's session become due, once the clients have what they begin with. */
  ripen(): void;
}

/** How far apart the clocks are at most, in seconds. */
export function skewOf({ offsets }: Scenario): number {
  return Math.max(...offsets) - Math.min(...offsets);
}
