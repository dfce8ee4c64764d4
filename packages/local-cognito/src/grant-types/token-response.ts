/** What a grant type hands to the token endpoint: the answer, and what the log may know of it. */

export interface TokenResponse {
  readonly body: Readonly<Record<string, string | number>>;
  readonly sub: string;
  readonly scopes: readonly string[];
  readonly resource?: string | undefined;
}
