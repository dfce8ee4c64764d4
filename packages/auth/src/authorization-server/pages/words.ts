/** Every word the pages say, in English, in one place: what stands between the markup and what a translation replaces. */
import { type Html, html } from './html.ts';

const plural = (count: number, one: string, many: string) => (count === 1 ? one : many);

export const words = {
  language: 'en',
  unnamedApplication: 'An application',

  consent: {
    title: (resource: string) => `Allow access to ${resource}?`,
    heading: (name: Html, resource: string) => html`${name} wants to use ${resource}`,
    powers: 'It will be able to',
    answerGoesTo: 'Answer goes to',
    resource: 'Resource',
    publishedBy: (host: string) => html`Checked: this application is published by <strong>${host}</strong>.`,
    knownHere: 'Checked: this application is known to whoever runs this server.',
    unchecked: 'The application chose its name itself; nobody has checked it.',
    onThisComputer: html`The answer goes to a program on <strong>this computer</strong>. Allow it only if you started it yourself just now.`,
    elsewhere: (place: string) => html`Allow this only if you came here from <strong>${place}</strong> yourself.`,
    remember: (days: number) => `Do not ask again in this browser for ${days} ${plural(days, 'day', 'days')}`,
    allow: 'Allow',
    deny: 'Deny',
    next: (identityProvider: string) =>
      `Next you sign in with ${identityProvider}. The application never sees your password.`,
  },

  error: {
    back: (place: string) => `Return to ${place}`,
    advice: 'Close this window and connect again from your application.',
    forDeveloper: 'For its developer:',
    code: 'Error code:',
  },

  connections: {
    title: 'Your connections',
    purpose:
      'Applications that you allowed to act for you. Each keeps its access until you revoke it here or it is not used for a long time.',
    unchecked: 'The names are the applications’ own words. Revoke what you do not recognise.',
    empty: 'Nothing is connected.',
    emptyMore:
      'When you allow an application to use something behind this server, it appears here, and you can take the access back at any time.',
    uses: 'Uses',
    may: 'May',
    mayNothing: 'nothing in particular',
    connectedFrom: 'Connected from',
    thisComputer: 'a program on your computer',
    allowed: 'Allowed',
    lastUsed: 'Last used',
    neverUsed: 'not used yet',
    graceReplays: (count: number) =>
      `Its last renewal was asked for ${count} more ${plural(count, 'time', 'times')}. That is usually a lost connection; if you are in doubt, revoke it and connect again.`,
    revoke: 'Revoke',
    revokeOne: (name: string, resource: string) => `Revoke the access of ${name} to ${resource}`,
    revokeAll: 'Revoke all…',
    signOut: 'Sign out',
    pages: 'Pages',
    page: (number: number, pages: number) => `Page ${number} of ${pages}`,
    newer: 'Newer',
    older: 'Older',

    doneOne: 'The access is revoked. What the application still holds stops working within seconds.',
    doneAll: 'All access is revoked. What the applications still hold stops working within seconds.',

    confirmTitle: (count: number) => plural(count, 'Revoke the one connection?', `Revoke all ${count} connections?`),
    confirm: 'Every application loses its access within seconds. To use one again, connect it anew.',
    confirmYes: 'Revoke all',
    confirmNo: 'Keep them',

    signInPurpose: 'See which applications you allowed to act for you, what they may do, and revoke any of them.',
    signIn: (identityProvider: string) => `Sign in with ${identityProvider}`,
    signedOut: (identityProvider: string) =>
      `You are not signed in on this page; ${identityProvider} may still remember you in this browser.`,
    signInExpired: 'You were signed out in the meantime. Nothing was changed: sign in and do it once more.',
    signInFailed: 'You are not signed in',
    signInLost: 'The sign-in took too long, was already used, or was begun in another browser.',
    signInDenied: 'The sign-in was refused or cancelled.',
    signInAway: (identityProvider: string) => `${identityProvider} cannot be reached right now. Try again in a moment.`,
    tryAgain: 'Try again',
  },

  /** How long ago, roughly, as people say it. */
  ago(seconds: number): string {
    const steps: ReadonlyArray<readonly [number, string, string]> = [
      [86_400, 'day', 'days'],
      [3_600, 'hour', 'hours'],
      [60, 'minute', 'minutes'],
    ];
    for (const [size, one, many] of steps) {
      const count = Math.floor(seconds / size);
      if (count >= 1) return `${count} ${plural(count, one, many)} ago`;
    }
    return 'just now';
  },

  /** A moment, in the one time zone that is right without asking the browser. */
  moment(seconds: number): string {
    const date = new Date(seconds * 1000);
    const day = date.toLocaleDateString('en-GB', { day: 'numeric', month: 'long', year: 'numeric', timeZone: 'UTC' });
    return `${day}, ${date.toISOString().slice(11, 16)} UTC`;
  },
} as const;
