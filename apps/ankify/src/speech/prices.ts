/** What speech costs. The one place to change when a price does. */

/**
 * US dollars per million characters, without the free tier; a million-th of them per character is a micro-dollar.
 * Source: https://aws.amazon.com/polly/pricing/, 2026-11-21. Tags of SSML are not billed (Polly's Developer Guide,
 * “Supported SSML tags”).
 */
export const pollyDollarsPerMillion = { standard: 4, neural: 16 } as const;
