/** What stdio targets say in the log; each stands in the catalogue of packages/auth/src/audit/gateway-events.ts. */

export type EndReason =
  /** Ended by itself, or could not be started. */
  | 'crashed'
  | 'exited'
  | 'unstartable'
  /** By us: nothing to do, the gateway stops, its client is done, no life sign in time, place for another. */
  | 'idle'
  | 'closed'
  | 'session_ended'
  | 'too_slow'
  | 'unfit'
  | 'room';

/** No interface: those are not taken for a `LogEvent`, which has fields of any name. */
type OfProcess = {
  /** The target's name. */
  readonly target: string;
  readonly pid: number;
};

export type StdioEvent =
  | (OfProcess & { readonly event: 'stdio.started'; readonly person?: string })
  | {
      readonly event: 'stdio.ended';
      readonly target: string;
      readonly pid?: number;
      readonly reason: EndReason;
      readonly seconds: number;
      readonly code?: number;
      readonly signal?: string;
      readonly cause?: string;
    }
  | (OfProcess & { readonly event: 'stdio.stderr'; readonly text: string; readonly leftOut?: number })
  | (OfProcess & {
      readonly event: 'stdio.unreadable';
      readonly reason: string;
      readonly bytes: number;
      readonly text: string;
      readonly leftOut?: number;
    })
  | {
      readonly event: 'fault';
      readonly path: string;
      readonly status: number;
      readonly reason: string;
      readonly cause: unknown;
    }
  | { readonly event: 'stdio.refused'; readonly target: string; readonly person: string; readonly reason: string };

export type StdioLog = (event: StdioEvent) => void;

/** As elsewhere in the log: enough to find a person again, too little to be one. */
export function personOf(subject: string): string {
  return subject.slice(0, 8);
}
