/** What a rule is and what it finds: the vocabulary of the doctor's report. */
import type { Facts } from './facts.ts';

/** `fault`: a client fails, or somebody is let in. `warning`: some clients, or one day. `note`: worth knowing. */
export type Severity = 'fault' | 'warning' | 'note';

/** The chapters of the report, in the order a client meets them. */
export const chapters = {
  address: 'The address',
  tls: 'TLS',
  challenge: 'The MCP endpoint without a token',
  resource: 'The resource’s metadata',
  server: 'The authorization server’s metadata',
  registration: 'Registration',
  authorize: 'The authorization endpoint',
  token: 'The token endpoint',
  browser: 'Clients in a browser',
  session: 'Behind the sign-in',
  speed: 'Speed',
} as const;

export type Chapter = keyof typeof chapters;

export interface Rule {
  /** Stable: programs and hints go by it. `chapter.what-is-wrong`. */
  readonly id: `${Chapter}.${string}`;
  readonly severity: Severity;
  /** The fault in one line, as a statement about the server. */
  readonly title: string;
  /** Which clients fail on it and how, or who gets in. */
  readonly why: string;
  /** Section of the specification or of the RFC. */
  readonly spec: string;
  readonly cure: string;
  /** Every place where it is so; none: the server is right, or it could not be seen. Pure. */
  readonly check: (facts: Facts) => readonly Observation[];
}

/** The rules of one chapter. */
export type Rules = readonly Rule[];

export interface Observation {
  /** What was seen, in a sentence; may quote the server. */
  readonly saw: string;
  /** In place of the rule's, where this very case has a better one. */
  readonly cure?: string;
}

export interface Finding extends Omit<Rule, 'check'> {
  readonly chapter: Chapter;
  readonly saw: string;
}

/** What the report is made of. */
export interface Diagnosis {
  readonly facts: Facts;
  /** In the order of the chapters; within one faults first. */
  readonly findings: readonly Finding[];
}

/** How one known client fares with this server, from what was seen. */
export interface ClientVerdict {
  /** For `--client`: `claude-code`. */
  readonly client: string;
  readonly name: string;
  /** `unknown`: what decides it could not be seen. */
  readonly outcome: 'works' | 'fails' | 'partly' | 'unknown';
  /** One sentence each: where it gets stuck and on what. */
  readonly reasons: readonly string[];
}
